"""Concurrent work with results in a fixed order."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, TypeVar

T = TypeVar("T")


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
