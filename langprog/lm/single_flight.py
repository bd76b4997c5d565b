"""One call for any number of identical ones that are under way at the same time."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class _Flight(Generic[T]):
    def __init__(self) -> None:
        self.task: asyncio.Task[T] | None = None
        self.passengers = 0


class SingleFlight(Generic[T]):
    """Runs the work of one key once at a time, for all who ask meanwhile.

    The work belongs to no caller: one that is cancelled does not take it from the others, and it
    is cancelled itself only when nobody waits for it any more. A failure is everybody's, and is
    not kept. Event loops do not share work; each runs its own.
    """

    def __init__(self) -> None:
        self._flights: dict[tuple[str, int], _Flight[T]] = {}
        self._lock = threading.Lock()

    async def run(self, key: str, work: Callable[[], Awaitable[T]]) -> tuple[T, bool]:
        """Return the result, and whether this caller was the one that started the work."""
        loop = asyncio.get_running_loop()
        place = (key, id(loop))
        with self._lock:
            flight = self._flights.get(place)
            mine = flight is None
            if flight is None:
                flight = self._flights[place] = _Flight()
                flight.task = loop.create_task(self._fly(place, flight, work))
            flight.passengers += 1
        task = flight.task
        assert task is not None
        try:
            return await asyncio.shield(task), mine
        finally:
            flight.passengers -= 1
            if flight.passengers == 0 and not task.done():
                self._land(place, flight)
                task.cancel()

    async def _fly(
        self, place: tuple[str, int], flight: _Flight[T], work: Callable[[], Awaitable[T]]
    ) -> T:
        try:
            return await work()
        finally:
            self._land(place, flight)

    def _land(self, place: tuple[str, int], flight: _Flight[T]) -> None:
        with self._lock:
            if self._flights.get(place) is flight:
                del self._flights[place]
