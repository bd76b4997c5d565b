"""Signals that stop a server."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable, Coroutine
from typing import Any


class StopSignals:
    """Handles SIGINT and SIGTERM: the first one stops gracefully, the second one at once.

    Args:
        on_reload: Called on SIGHUP, where the system has it.
    """

    def __init__(self, on_reload: Callable[[], None] | None = None) -> None:
        self.first, self.second = asyncio.Event(), asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            with contextlib.suppress(NotImplementedError):  # not on every system
                loop.add_signal_handler(number, self._handle)
        if on_reload is not None:
            with contextlib.suppress(NotImplementedError, AttributeError):
                loop.add_signal_handler(signal.SIGHUP, on_reload)

    def _handle(self) -> None:
        (self.second if self.first.is_set() else self.first).set()

    async def close(self, closing: Coroutine[Any, Any, None]) -> None:
        """Wait for a server to close, or for the second signal."""
        tasks = [asyncio.create_task(closing), asyncio.create_task(self._until_second())]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _until_second(self) -> None:
        await self.second.wait()
