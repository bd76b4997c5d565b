"""Event loops in threads of their own, and work that is given to another thread's loop.

Long-lived loops and threads are created in an empty context: they outlive the first call that
needs them, and must not keep its settings.
"""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from contextvars import Context, copy_context
from typing import Any, TypeVar

T = TypeVar("T")

# Seconds allowed for closing at exit.
CLOSING = 1.0


class BackgroundLoop:
    """A loop in a thread of its own."""

    def __init__(self) -> None:
        self._loop = Context().run(asyncio.new_event_loop)
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="langprog-loop", daemon=True
        )
        Context().run(self._thread.start)

    def owns(self, loop: asyncio.AbstractEventLoop) -> bool:
        return self._loop is loop

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        done, cancel = start_on(self._loop, work)
        try:
            return done.result()
        except KeyboardInterrupt:
            # Ctrl-C reaches only the waiting thread; the work must not keep spending.
            cancel()
            raise

    async def wait_for(self, work: Coroutine[Any, Any, T]) -> T:
        return await wait_on(self._loop, work)

    def close(self) -> None:
        asyncio.run_coroutine_threadsafe(shut_down(self._loop), self._loop).result(timeout=5)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=5)
        if not self._loop.is_running():
            self._loop.close()


def start_on(
    loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, T]
) -> tuple[Future[T], Callable[[], object]]:
    """Start work on another thread's loop; return its result to come, and what cancels it."""
    done: Future[T] = Future()
    done.set_running_or_notify_cancel()  # whoever gives up waiting cancels the task instead
    context = copy_context()
    task: list[asyncio.Task[None]] = []

    async def relay() -> None:
        try:
            done.set_result(await work)
        except BaseException as error:  # noqa: BLE001 - handed to the waiting thread, not kept
            done.set_exception(error)

    def start() -> None:
        task.append(loop.create_task(relay(), context=context))

    loop.call_soon_threadsafe(start)
    return done, lambda: loop.call_soon_threadsafe(lambda: [each.cancel() for each in task])


async def wait_on(loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, T]) -> T:
    done, cancel = start_on(loop, work)
    try:
        return await asyncio.wrap_future(done)
    except asyncio.CancelledError:
        cancel()
        raise


async def asyncgen_hooks() -> Any:
    return sys.get_asyncgen_hooks()  # those of the running loop


async def shut_down(loop: asyncio.AbstractEventLoop) -> None:
    """Close everything that a loop still holds, so that nothing warns about it at exit."""
    # Models keep their connections in asynchronous generators.
    await loop.shutdown_asyncgens()
    left = asyncio.all_tasks(loop) - {asyncio.current_task()}
    if left:
        _, late = await asyncio.wait(left, timeout=CLOSING)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late, timeout=CLOSING)
