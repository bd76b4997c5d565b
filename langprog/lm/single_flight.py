"""One call for any number of identical concurrent ones."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from langprog.errors import BudgetExceeded, InputError, TransportError

T = TypeVar("T")


class _Call(Generic[T]):
    def __init__(self, place: tuple[str, int]) -> None:
        self.place = place
        self.task: asyncio.Task[T] | None = None
        self.waiters = 0


class SingleFlight(Generic[T]):
    """Runs the work for a key once at a time, for all concurrent callers.

    The work belongs to no caller: cancelling one caller does not affect the others, and the work
    itself is cancelled only when no caller is left. Failures are not kept, and a failure caused by
    the caller that started the work does not reach the others: if that caller's budget refused the
    call, one of the others starts it again for all; after a transport error they retry once. Each
    event loop runs its own work.
    """

    def __init__(self) -> None:
        self._calls: dict[tuple[str, int], _Call[T]] = {}
        self._lock = threading.Lock()

    async def run(
        self, key: str, work: Callable[[], Awaitable[T]], joining: Callable[[], None]
    ) -> tuple[T, bool]:
        """Return the result, and whether this caller started the work.

        Args:
            key: Equal keys mean the same work.
            work: What to run if it is not already running.
            joining: Called before this caller waits for the work of another.
        """
        patient = True
        while True:
            call, mine = self._join(key, work)
            assert call.task is not None
            try:
                if not mine:
                    joining()
                return await asyncio.shield(call.task), mine
            except TransportError:
                if mine or not patient:
                    raise
                patient = False
            except (BudgetExceeded, InputError):
                if mine:
                    raise
            finally:
                self._leave(call)

    def _join(self, key: str, work: Callable[[], Awaitable[T]]) -> tuple[_Call[T], bool]:
        loop = asyncio.get_running_loop()
        place = (key, id(loop))
        with self._lock:
            call = self._calls.get(place)
            # A loop that was dropped may have left calls behind under an id that is now reused.
            mine = call is None or call.task is None or call.task.get_loop() is not loop
            if call is None or mine:
                call = self._calls[place] = _Call(place)
                call.task = loop.create_task(self._run(call, work))
            call.waiters += 1
        return call, mine

    def _leave(self, call: _Call[T]) -> None:
        call.waiters -= 1
        if call.waiters == 0 and call.task is not None and not call.task.done():
            self._remove(call)
            call.task.cancel()

    async def _run(self, call: _Call[T], work: Callable[[], Awaitable[T]]) -> T:
        try:
            return await work()
        finally:
            self._remove(call)

    def _remove(self, call: _Call[T]) -> None:
        with self._lock:
            if self._calls.get(call.place) is call:
                del self._calls[call.place]
