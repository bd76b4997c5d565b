"""One call for any number of identical ones that are under way at the same time."""

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
    """Runs the work of one key once at a time, for all who ask meanwhile.

    The work belongs to no caller: one that is cancelled does not take it from the others, and it
    is cancelled itself only when nobody waits for it any more. A failure is not kept, and what
    failed for reasons of the caller who started it is nobody else's failure: after a refusal by
    that caller's budget the others ask again, one of them for all; after a failure on the way
    they do so once. Event loops do not share work; each runs its own.
    """

    def __init__(self) -> None:
        self._calls: dict[tuple[str, int], _Call[T]] = {}
        self._lock = threading.Lock()

    async def run(self, key: str, work: Callable[[], Awaitable[T]]) -> tuple[T, bool]:
        """Return the result, and whether this caller was the one that started the work.

        Args:
            key: Equal keys stand for the same work.
            work: What to run if nobody does so already.
        """
        patient = True
        while True:
            flight, mine = self._join(key, work)
            assert flight.task is not None
            try:
                return await asyncio.shield(flight.task), mine
            except TransportError:
                if mine or not patient:
                    raise
                patient = False
            except (BudgetExceeded, InputError):
                if mine:
                    raise
            finally:
                self._leave(flight)

    def _join(self, key: str, work: Callable[[], Awaitable[T]]) -> tuple[_Call[T], bool]:
        loop = asyncio.get_running_loop()
        place = (key, id(loop))
        with self._lock:
            flight = self._calls.get(place)
            # A loop that ended without a word may have left its flights, and its id, behind.
            mine = flight is None or flight.task is None or flight.task.get_loop() is not loop
            if flight is None or mine:
                flight = self._calls[place] = _Call(place)
                flight.task = loop.create_task(self._run(flight, work))
            flight.waiters += 1
        return flight, mine

    def _leave(self, flight: _Call[T]) -> None:
        flight.waiters -= 1
        if flight.waiters == 0 and flight.task is not None and not flight.task.done():
            self._remove(flight)
            flight.task.cancel()

    async def _run(self, flight: _Call[T], work: Callable[[], Awaitable[T]]) -> T:
        try:
            return await work()
        finally:
            self._remove(flight)

    def _remove(self, flight: _Call[T]) -> None:
        with self._lock:
            if self._calls.get(flight.place) is flight:
                del self._calls[flight.place]
