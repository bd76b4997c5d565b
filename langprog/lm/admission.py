"""Limits the requests that a server accepts at a time, by number and by size."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from langprog.errors import RateLimitError
from langprog.lm.chat_messages import BadBody

if TYPE_CHECKING:
    from aiohttp import web

# Seconds after which a rejected client may retry.
LATER = 1.0
# Seconds that a client may take to send its body.
LONGEST_UPLOAD = 60.0


class Admission:
    """Counts the requests that a server holds, from the first byte of a body to the last reply.

    Args:
        most: Requests at the same time, including those that wait for a model.
        most_bytes: Total size of their bodies.
    """

    def __init__(self, most: int, most_bytes: int) -> None:
        self._most, self._most_bytes = most, most_bytes
        self._bytes = 0
        self.count = 0

    @asynccontextmanager
    async def admit(self, request: web.Request) -> AsyncIterator[bytes]:
        """Admit a request, and yield its body.

        Raises:
            RateLimitError: There are too many already.
            BadBody: The body does not come in time.
        """
        # A body without a declared length counts as the largest until it has arrived.
        largest = request.client_max_size
        size = min(request.content_length or largest, largest)
        if self.count >= self._most or (self.count and self._bytes + size > self._most_bytes):
            raise RateLimitError(
                f"the server has {self.count} requests under way or waiting, and takes no more",
                retry_after=LATER,
            )
        self.count += 1
        self._bytes += size
        try:
            try:
                async with asyncio.timeout(LONGEST_UPLOAD):
                    body = await request.read()
            except TimeoutError:
                raise BadBody(
                    f"the body did not come within {LONGEST_UPLOAD:g} s", status=408
                ) from None
            self._bytes += len(body) - size
            size = len(body)
            yield body
        finally:
            self.count -= 1
            self._bytes -= size
