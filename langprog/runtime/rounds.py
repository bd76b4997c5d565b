"""Concurrent work with results in a fixed order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Iterable
from typing import Any, TypeVar

T = TypeVar("T")
Item = TypeVar("Item")

# Results that may wait for an earlier one, as a multiple of what runs at the same time.
_WAITING = 4


async def gather_in_order(
    works: Iterable[Callable[[], Coroutine[Any, Any, T]]], at_once: int
) -> list[T]:
    """Run all works, ``at_once`` at a time, and return their results in the given order.

    After a failure no more work starts, and the rest is cancelled and awaited, so that nothing
    keeps spending in the background; the failure is raised.

    Args:
        works: Functions that start a piece of work.
        at_once: Maximum number running at the same time.
    """
    gate = asyncio.Semaphore(max(1, at_once))
    failed = False

    async def run_work(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        nonlocal failed
        async with gate:
            if failed:  # the gate opens before gather sees the failure
                raise asyncio.CancelledError
            try:
                return await work()
            except BaseException:
                failed = True
                raise

    tasks = [asyncio.create_task(run_work(work)) for work in works]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def stream_in_order(
    items: AsyncIterator[Item], work: Callable[[Item], Coroutine[Any, Any, T]], at_once: int
) -> AsyncGenerator[T, None]:
    """Run a piece of work for each item as it arrives, and yield the results in their order.

    Items are read only as fast as they can be worked on, so that memory does not grow with their
    number. After a failure no more work starts, and the rest is cancelled and awaited; so it is
    where the iteration ends early. The failure is raised.

    Args:
        items: What to work on; the next one may take its time.
        work: Makes a result of an item.
        at_once: Maximum number running at the same time.
    """
    rounds = _Stream(work, at_once)
    reading = asyncio.create_task(rounds.read(items))
    try:
        while True:
            result = await rounds.next_result()
            if result is None:
                break
            yield result.result()
            del result  # or it is kept until the next one is there
        await reading
    finally:
        reading.cancel()
        await rounds.cancel()
        await asyncio.gather(reading, return_exceptions=True)


class _Stream:
    """The running pieces of work of :func:`stream_in_order`."""

    def __init__(self, work: Callable[[Any], Coroutine[Any, Any, Any]], at_once: int) -> None:
        self._work = work
        self._gate = asyncio.Semaphore(max(1, at_once))
        # ``None`` ends it.
        self._queue: asyncio.Queue[asyncio.Task[Any] | None] = asyncio.Queue(
            _WAITING * max(1, at_once)
        )
        self._running: set[asyncio.Task[Any]] = set()
        self._failed: asyncio.Future[asyncio.Task[Any]] = (
            asyncio.get_running_loop().create_future()
        )

    async def read(self, items: AsyncIterator[Any]) -> None:
        try:
            async for item in items:
                await self._gate.acquire()
                if self._failed.done():
                    break
                task = asyncio.create_task(self._work(item))
                self._running.add(task)
                task.add_done_callback(self._end)
                await self._queue.put(task)
        except asyncio.CancelledError:
            raise  # nobody takes anything from the queue any more
        except BaseException:
            await self._queue.put(None)
            raise
        await self._queue.put(None)

    def _end(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        self._gate.release()
        failed = task.cancelled() or task.exception() is not None
        if failed and not self._failed.done():
            self._failed.set_result(task)

    async def next_result(self) -> asyncio.Task[Any] | None:
        """Return the next finished task, or the first one that failed; ``None`` after the last."""
        following = asyncio.ensure_future(self._queue.get())
        try:
            waiting: list[asyncio.Future[Any]] = [following, self._failed]
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            if self._failed.done():
                return self._failed.result()
            task = following.result()
            if task is not None and not task.done():
                waiting[0] = task
                await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            return self._failed.result() if self._failed.done() else task
        finally:
            following.cancel()

    async def cancel(self) -> None:
        """Cancel what runs, and wait until it has ended."""
        running = list(self._running)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        self._failed.cancel()
