"""The synchronous door: one background event loop, and worker threads for a user's own code.

Everything that langprog does itself is asynchronous and exists once. Synchronous callers come in
through :func:`run_sync`; a user's synchronous ``forward`` leaves through :func:`call_in_worker`,
so that it may block without stopping the loop.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from typing import Any, ParamSpec, TypeVar

from langprog.errors import LangprogError

T = TypeVar("T")
P = ParamSpec("P")

# A worker may wait for another worker (a program inside a program), so the bound is only a guard
# against runaway recursion; threads are made when needed and kept for reuse.
MAX_WORKERS = 1024


class _Door:
    """The background loop and the workers, made on first use and anew after a fork."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pid = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._workers: ThreadPoolExecutor | None = None

    def loop(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None or self._pid != os.getpid():
                self._open()
            assert self._loop is not None
            return self._loop

    def _open(self) -> None:
        loop = asyncio.new_event_loop()
        thread = threading.Thread(target=loop.run_forever, name="langprog-loop", daemon=True)
        thread.start()
        if self._pid == 0:
            atexit.register(self.close)
        self._loop, self._thread, self._pid = loop, thread, os.getpid()
        self._workers = None

    def workers(self) -> ThreadPoolExecutor:
        with self._lock:
            if self._workers is None:
                self._workers = ThreadPoolExecutor(MAX_WORKERS, thread_name_prefix="langprog")
            return self._workers

    def inside(self) -> bool:
        return threading.current_thread() is self._thread

    def close(self) -> None:
        """Close connections and stop the loop, so that nothing is left open at exit."""
        loop, thread = self._loop, self._thread
        if loop is None or thread is None or self._pid != os.getpid():
            return
        # Models keep their connections in asynchronous generators, which this ends.
        asyncio.run_coroutine_threadsafe(loop.shutdown_asyncgens(), loop).result(timeout=5)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(timeout=5)
        if not loop.is_running():
            loop.close()


_door = _Door()


def run_sync(work: Coroutine[Any, Any, T]) -> T:
    """Run ``work`` on the background loop and wait for it; the caller's settings travel along.

    Safe where a loop is running already (a notebook), from any thread but the background loop's.

    Raises:
        LangprogError: Called from asynchronous code of a program, where it would wait for itself.
    """
    if _door.inside():
        work.close()
        raise LangprogError(
            "a program was called synchronously inside `async def aforward`; "
            "write `await program.acall(...)` there"
        )
    loop = _door.loop()
    done: Future[T] = Future()
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
    try:
        return done.result()
    except KeyboardInterrupt:
        # Ctrl-C reaches the waiting thread; the work must not go on spending behind its back.
        loop.call_soon_threadsafe(lambda: [pending.cancel() for pending in task])
        raise


async def call_in_worker(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run a user's synchronous ``function`` in a worker thread, with the caller's settings."""
    context = copy_context()
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(
        _door.workers(), lambda: context.run(function, *args, **kwargs)
    )
