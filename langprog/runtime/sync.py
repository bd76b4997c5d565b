"""The synchronous door: two event loops of our own, and worker threads for a user's own code.

Everything that langprog does itself is asynchronous and exists once. Synchronous callers come in
through :func:`run_sync`; a user's synchronous ``forward`` leaves through :func:`call_in_worker`,
so that it may block without stopping a loop.

A caller on the main thread runs its work there and then, on a loop that is kept between calls:
no other thread has to be woken, which would cost more than all the rest of a call. Where that
cannot be (another thread, or a notebook, whose loop is running already) a loop in the background
does the work.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import signal
import threading
import time
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

# Seconds after which a loop that stood still first hears of connections that ended meanwhile.
STALE = 1.0

# Seconds that what is being closed may take at exit.
CLOSING = 1.0


class _Main:
    """The main thread's loop, which runs while a caller waits and keeps its connections."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._used = time.monotonic()
        self._stopped = False

    def owns(self, loop: asyncio.AbstractEventLoop) -> bool:
        return self._loop is loop

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        if time.monotonic() - self._used > STALE:
            self._loop.run_until_complete(asyncio.sleep(0))
        task = self._loop.create_task(work)
        ours = signal.getsignal(signal.SIGINT) is signal.default_int_handler
        if ours:
            signal.signal(signal.SIGINT, lambda number, frame: self._interrupted(task))
        try:
            return self._loop.run_until_complete(task)
        except asyncio.CancelledError:
            if not self._stopped:
                raise
            raise KeyboardInterrupt from None
        except (KeyboardInterrupt, SystemExit):
            # The work must neither go on spending nor be dropped before it has tidied up.
            task.cancel()
            self._loop.run_until_complete(asyncio.wait([task]))
            if not task.cancelled():
                task.exception()  # or asyncio would say that nobody looked at it
            raise
        finally:
            if ours:
                signal.signal(signal.SIGINT, signal.default_int_handler)
            self._used, self._stopped = time.monotonic(), False

    def _interrupted(self, task: asyncio.Task[Any]) -> None:
        """Take Ctrl-C: the first one asks the work to stop, the next one does not ask.

        As asyncio.run does: an exception in the middle of any step of any task would leave the
        others behind.
        """
        if self._stopped or task.done():
            raise KeyboardInterrupt
        self._stopped = True
        task.cancel()
        self._loop.call_soon_threadsafe(lambda: None)  # wakes the loop from its wait

    def close(self) -> None:
        self._loop.run_until_complete(_tidied(self._loop))
        self._loop.close()


class _Background:
    """A loop in a thread of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="langprog-loop", daemon=True
        )
        self._thread.start()

    def owns(self, loop: asyncio.AbstractEventLoop) -> bool:
        return self._loop is loop

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        done: Future[T] = Future()
        context = copy_context()
        task: list[asyncio.Task[None]] = []

        async def relay() -> None:
            try:
                done.set_result(await work)
            except BaseException as error:  # noqa: BLE001 - handed to the waiting thread, not kept
                done.set_exception(error)

        def start() -> None:
            task.append(self._loop.create_task(relay(), context=context))

        self._loop.call_soon_threadsafe(start)
        try:
            return done.result()
        except KeyboardInterrupt:
            # Ctrl-C reaches the waiting thread; the work must not go on spending behind its back.
            self._loop.call_soon_threadsafe(lambda: [pending.cancel() for pending in task])
            raise

    def close(self) -> None:
        asyncio.run_coroutine_threadsafe(_tidied(self._loop), self._loop).result(timeout=5)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=5)
        if not self._loop.is_running():
            self._loop.close()


async def _tidied(loop: asyncio.AbstractEventLoop) -> None:
    """Let go of everything that a loop still holds, so that nothing is said about it at exit."""
    # Models keep their connections in asynchronous generators, which this ends.
    await loop.shutdown_asyncgens()
    left = asyncio.all_tasks(loop) - {asyncio.current_task()}
    if left:
        _, late = await asyncio.wait(left, timeout=CLOSING)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late, timeout=CLOSING)


class _Door:
    """The loops and the workers, made on first use and anew after a fork."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pid = 0
        self._main: _Main | None = None
        self._background: _Background | None = None
        self._workers: ThreadPoolExecutor | None = None

    def _here(self) -> None:
        # Called with the lock held.
        if self._pid == os.getpid():
            return
        if self._pid == 0:
            atexit.register(self.close)
        # What a parent process had is the parent's: its threads are not here.
        self._pid = os.getpid()
        self._main = self._background = self._workers = None

    def main(self) -> _Main:
        with self._lock:
            self._here()
            self._main = self._main or _Main()
            return self._main

    def background(self) -> _Background:
        with self._lock:
            self._here()
            self._background = self._background or _Background()
            return self._background

    def workers(self) -> ThreadPoolExecutor:
        with self._lock:
            self._here()
            if self._workers is None:
                self._workers = ThreadPoolExecutor(MAX_WORKERS, thread_name_prefix="langprog")
            return self._workers

    def owns(self, loop: asyncio.AbstractEventLoop) -> bool:
        return any(one is not None and one.owns(loop) for one in (self._main, self._background))

    def close(self) -> None:
        """Close connections and end the loops, so that nothing is left open at exit."""
        if self._pid != os.getpid():
            return
        for one in (self._main, self._background):
            if one is not None:
                one.close()


_door = _Door()


def run_sync(work: Coroutine[Any, Any, T]) -> T:
    """Run ``work`` and wait for it; the caller's settings travel along.

    Safe where a loop is running already (a notebook), and from any thread.

    Raises:
        LangprogError: Called from asynchronous code of a program, where it would wait for itself.
    """
    running = asyncio._get_running_loop()
    if running is not None and _door.owns(running):
        work.close()
        raise LangprogError(
            "a program was called synchronously inside `async def aforward`; "
            "write `await program.acall(...)` there"
        )
    if running is None and threading.current_thread() is threading.main_thread():
        return _door.main().run(work)
    return _door.background().run(work)


async def call_in_worker(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run a user's synchronous ``function`` in a worker thread, with the caller's settings."""
    context = copy_context()
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(
        _door.workers(), lambda: context.run(function, *args, **kwargs)
    )
