"""Limits the requests that a server accepts at a time, by number and by size."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from langprog.errors import RateLimitError
from langprog.lm.chat_messages import BadBody

# Seconds after which a rejected client may retry.
LATER = 1.0
# Seconds that a client may take to send its body.
LONGEST_UPLOAD = 60.0


class ServerBusy(RateLimitError):
    """The server holds as many requests as it accepts."""


class Admission:
    """Counts the requests that a server holds, from the first byte of a body to the last reply.

    Args:
        most: Requests at the same time, including those that wait for a model.
        most_bytes: Total size of their bodies.
        largest: Size of a single body, in bytes.
        upload: Seconds that a client may take to send its body.
    """

    def __init__(
        self, most: int, most_bytes: int, largest: int, upload: float | None = None
    ) -> None:
        self._most, self._most_bytes, self._largest = most, most_bytes, largest
        self._upload = LONGEST_UPLOAD if upload is None else upload
        self._bytes = 0
        self.count = 0

    @asynccontextmanager
    async def admit(
        self, length: int | None, read: Callable[[], Awaitable[bytes]]
    ) -> AsyncIterator[bytes]:
        """Admit a request, and yield its body.

        Args:
            length: The body's declared length; ``None`` if there is none.
            read: Reads the body, and enforces its size.

        Raises:
            ServerBusy: There are too many already.
            BadBody: The body does not come in time.
        """
        # A body without a declared length counts as the largest until it has arrived.
        size = min(self._largest if length is None else length, self._largest)
        if self.count >= self._most or (self.count and self._bytes + size > self._most_bytes):
            raise ServerBusy(
                f"the server has {self.count} requests under way or waiting, and takes no more",
                retry_after=LATER,
            )
        self.count += 1
        self._bytes += size
        try:
            try:
                async with asyncio.timeout(self._upload):
                    body = await read()
            except TimeoutError:
                raise BadBody(
                    f"the body did not come within {self._upload:g} s", status=408
                ) from None
            self._bytes += len(body) - size
            size = len(body)
            yield body
        finally:
            self.count -= 1
            self._bytes -= size
