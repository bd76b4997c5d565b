"""Event loops in threads of their own, and work that is given to another thread's loop.

Long-lived loops and threads are created in an empty context: they outlive the first call that
needs them, and must not keep its settings.
"""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from contextvars import Context, ContextVar, copy_context
from typing import Any, TypeVar

from langprog.errors import LangprogError

T = TypeVar("T")

# Seconds allowed for closing at exit.
CLOSING = 1.0


class WorkerRuns:
    """What a user's synchronous function waits for, which ends when nobody waits for the function.

    Else a model would go on writing an answer that is paid for and not read.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._cancels: list[Callable[[], object]] = []
        self._cancelled = False

    @property
    def cancelled(self) -> bool:
        """Whether the function was given up."""
        return self._cancelled

    @contextmanager
    def including(self, cancel: Callable[[], object]) -> Iterator[None]:
        """Have ``cancel`` called if the function is given up inside the block, or just was."""
        with self._lock:
            self._cancels.append(cancel)
            cancelled = self._cancelled
        if cancelled:
            cancel()
        try:
            yield
        finally:
            with self._lock:
                self._cancels.remove(cancel)

    def cancel(self) -> None:
        """Cancel what runs, and what starts later."""
        with self._lock:
            self._cancelled = True
            cancels = tuple(self._cancels)
        for cancel in cancels:
            cancel()


worker_runs: ContextVar[WorkerRuns | None] = ContextVar("langprog_worker_runs", default=None)


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
        runs = worker_runs.get()
        if runs is not None and runs.cancelled:
            work.close()
            raise LangprogError(
                "a program was called by code that nobody waits for any more: its caller was "
                "cancelled or ran out of time"
            )
        done, cancel = start_on(self._loop, work)
        try:
            if runs is None:
                return done.result()
            with runs.including(cancel):
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
        task[0].add_done_callback(end)

    def end(ended: asyncio.Task[None]) -> None:
        if not done.done():  # cancelled before its first step
            work.close()
            done.set_exception(asyncio.CancelledError())

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
