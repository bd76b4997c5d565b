"""Reading the bodies of HTTP replies, with a limit on their decompressed size."""

from __future__ import annotations

import sys
import zlib
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import aiohttp

# Far above any model's completion; anything larger would only fill memory.
LARGEST_REPLY = 32 * 2**20
# An error's message is at its beginning.
LARGEST_ERROR = 2**20
_PIECE = 2**16
_GZIP = b"\x1f\x8b"


class ReplyTooLarge(Exception):
    """A body exceeds its limit or is not compressed as declared; the message is for users."""


async def read_whole(response: aiohttp.ClientResponse, most: int) -> bytes:
    """Return a decompressed body.

    Args:
        response: The reply, from a session without automatic decompression.
        most: Maximum size of the decompressed body in bytes.

    Raises:
        ReplyTooLarge: It is larger, or damaged.
    """
    if response.content_length is not None and response.content_length > most:
        raise ReplyTooLarge(f"the reply is larger than {most // 2**20} MB")
    if "Content-Encoding" in response.headers:
        pieces = [piece async for piece in _pieces(response, most)]
    else:
        pieces = await _read_pieces(response, most)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


async def _read_pieces(response: aiohttp.ClientResponse, most: int) -> list[bytes]:
    # Like _pieces without its generators: most replies are small and not compressed.
    pieces, size = [], 0
    while piece := await response.content.readany():
        size += len(piece)
        if size > most:
            raise ReplyTooLarge(f"the reply is larger than {most // 2**20} MB")
        pieces.append(piece)
    return pieces


async def read_start(response: aiohttp.ClientResponse, most: int) -> bytes:
    """Return the start of a decompressed body: about ``most`` bytes."""
    import aiohttp  # noqa: PLC0415 - a quarter of a second that embedded models do not need

    pieces: list[bytes] = []
    with suppress(ReplyTooLarge, aiohttp.ClientPayloadError):
        async for piece in _pieces(response, most):
            pieces.append(piece)
    return b"".join(pieces)


async def read_lines(response: aiohttp.ClientResponse, most: int) -> AsyncIterator[bytes]:
    """Yield the lines of a body as they arrive, without line ends; arguments as above.

    Raises:
        ReplyTooLarge: The body is larger, or damaged.
    """
    begun: list[bytes] = []
    async for piece in _pieces(response, most):
        *whole, rest = piece.split(b"\n")
        for line in whole:
            yield b"".join([*begun, line])
            begun = []
        if rest:
            begun.append(rest)
    if begun:
        yield b"".join(begun)


async def read_capped_lines(
    response: aiohttp.ClientResponse, longest: int
) -> AsyncGenerator[bytes, None]:
    """Yield the lines of a body of any size as they arrive, in constant memory.

    Args:
        response: The reply, from a session without automatic decompression.
        longest: The longest line in bytes; a longer one comes as an empty line.

    Raises:
        ReplyTooLarge: The body is damaged.
    """
    begun: list[bytes] = []
    size = 0
    async for piece in _pieces(response, sys.maxsize):
        *whole, rest = piece.split(b"\n")
        for part in whole:
            fits = size + len(part) <= longest
            yield b"".join([*begun, part]) if fits else b""
            begun, size = [], 0
        size += len(rest)
        if size > longest:
            begun = []
        elif rest:
            begun.append(rest)
    if begun:
        yield b"".join(begun)


async def _pieces(response: aiohttp.ClientResponse, most: int) -> AsyncIterator[bytes]:
    packed = response.headers.get("Content-Encoding", "identity").strip().lower()
    if packed not in ("identity", "", "gzip", "x-gzip", "deflate"):
        raise ReplyTooLarge(f"the reply has a compression that was not requested ({packed:.20})")
    unpack = None if packed in ("identity", "") else _Decompressor()
    size = 0
    async for data in response.content.iter_any():
        for piece in (data,) if unpack is None else unpack.add(data):
            size += len(piece)
            if size > most:
                raise ReplyTooLarge(f"the reply is larger than {most // 2**20} MB")
            if piece:
                yield piece
    if unpack is not None and not unpack.is_complete:
        raise ReplyTooLarge("the compressed reply was cut off")


class _Decompressor:
    """Decompresses data as it arrives, a small piece at a time."""

    def __init__(self) -> None:
        self._stream: zlib._Decompress | None = None

    @property
    def is_complete(self) -> bool:
        """Whether the compressed data is complete; no data counts as complete."""
        return self._stream is None or self._stream.eof

    def add(self, data: bytes) -> Iterator[bytes]:
        try:
            while data:
                if self._stream is None:
                    self._stream = zlib.decompressobj(_window_bits(data))
                elif self._stream.eof:
                    if not data.startswith(_GZIP):
                        return  # padding
                    self._stream = zlib.decompressobj(_window_bits(data))  # another member follows
                yield self._stream.decompress(data, _PIECE)
                data = self._stream.unconsumed_tail or self._stream.unused_data
        except zlib.error:
            raise ReplyTooLarge("the reply cannot be decompressed") from None


def _window_bits(data: bytes) -> int:
    # Some servers send "deflate" without the zlib header.
    framed = data.startswith(_GZIP[:1]) or data[0] & 15 == zlib.DEFLATED
    return zlib.MAX_WBITS | 32 if framed else -zlib.MAX_WBITS
