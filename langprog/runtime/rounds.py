"""Concurrent work whose results come back in a fixed order, or not at all."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, TypeVar

T = TypeVar("T")


async def gather_in_order(
    works: Iterable[Callable[[], Coroutine[Any, Any, T]]], at_once: int
) -> list[T]:
    """Do every work, ``at_once`` at a time, and return the results in the order given.

    Where one fails, none is started any more, and the others are cancelled and waited for, so
    that nothing goes on spending behind the caller's back; the failure is raised.

    Args:
        works: What to do; each is called to start it.
        at_once: How many may be under way at the same time.
    """
    gate = asyncio.Semaphore(max(1, at_once))
    failed = False

    async def run_work(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        nonlocal failed
        async with gate:
            if failed:  # the gate opens before the failure arrives below
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
