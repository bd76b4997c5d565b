"""The bodies of HTTP replies, read under a bound that holds for what they unpack to."""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import aiohttp

# No completion of any model comes near; what is larger would only fill the memory.
LARGEST_REPLY = 32 * 2**20
_PIECE = 2**16


class ReplyTooLarge(Exception):
    """A body is larger than its bound, or is not packed as it says; the text is for people."""


async def read_whole(response: aiohttp.ClientResponse, most: int) -> bytes:
    """Return a body, unpacked.

    Args:
        response: The reply; made by a session that does not unpack by itself.
        most: Bytes of the unpacked body at most.

    Raises:
        ReplyTooLarge: It is larger, or broken.
    """
    if response.content_length is not None and response.content_length > most:
        raise ReplyTooLarge(f"the reply is larger than {most // 2**20} MB")
    if "Content-Encoding" in response.headers:
        pieces = [piece async for piece in _pieces(response, most)]
    else:
        pieces = await _unpacked_pieces(response, most)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


async def _unpacked_pieces(response: aiohttp.ClientResponse, most: int) -> list[bytes]:
    # As _pieces, without its two generators: most replies are small and come as they are.
    pieces, size = [], 0
    while piece := await response.content.readany():
        size += len(piece)
        if size > most:
            raise ReplyTooLarge(f"the reply is larger than {most // 2**20} MB")
        pieces.append(piece)
    return pieces


async def read_lines(response: aiohttp.ClientResponse, most: int) -> AsyncIterator[bytes]:
    """Yield the lines of a body as they come, without their ends; arguments as above.

    Raises:
        ReplyTooLarge: The body is larger, or broken.
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


async def _pieces(response: aiohttp.ClientResponse, most: int) -> AsyncIterator[bytes]:
    packed = response.headers.get("Content-Encoding", "identity").strip().lower()
    if packed not in ("identity", "", "gzip", "deflate"):
        raise ReplyTooLarge(f"the reply is packed in a way that was not asked for ({packed:.20})")
    unpack = None if packed in ("identity", "") else zlib.decompressobj(zlib.MAX_WBITS | 32)
    size = 0
    async for data in response.content.iter_any():
        for piece in (data,) if unpack is None else _unpacked(unpack, data):
            size += len(piece)
            if size > most:
                raise ReplyTooLarge(f"the reply is larger than {most // 2**20} MB")
            if piece:
                yield piece


def _unpacked(unpack: zlib._Decompress, data: bytes) -> Iterator[bytes]:
    try:
        while data:
            yield unpack.decompress(data, _PIECE)
            data = unpack.unconsumed_tail
    except zlib.error:
        raise ReplyTooLarge("the reply cannot be unpacked") from None
