"""Running async code from sync code: two event loops, and worker threads for users' own code.

langprog itself is asynchronous and exists once. Synchronous callers enter through
:func:`run_sync`; a user's synchronous ``forward`` runs through :func:`call_in_worker`, so that it
may block without stopping a loop.

A caller on the main thread runs its work right there, on a loop that is kept between calls:
waking another thread would cost more than the rest of a call. Elsewhere (on another thread, or in
a notebook, whose loop is already running) a background loop does the work.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # signal without its enums, which cost 6 us a call
import asyncio
import atexit
import os
import signal
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from contextvars import Context, ContextVar, copy_context
from functools import partial
from typing import Any, ParamSpec, TypeVar

from langprog.errors import LangprogError
from langprog.runtime.loops import (
    BackgroundLoop,
    WorkerRuns,
    asyncgen_hooks,
    shut_down,
    wait_on,
    worker_runs,
)

T = TypeVar("T")
P = ParamSpec("P")

# A worker may wait for another worker (a program inside a program), so reaching the limit would
# deadlock. It only guards against runaway recursion, and exceeds what an evaluation of width 256
# needs when its program calls programs in parallel. Threads are created on demand and reused.
MAX_WORKERS = 16_384

# Seconds of idleness after which a loop first processes connections closed in the meantime.
STALE = 1.0


# Long-lived loops and threads are created in an empty context: they outlive the first call that
# needs them, and must not keep its settings.


class _Main:
    """The main thread's loop, which runs only while a caller waits and keeps its connections."""

    def __init__(self) -> None:
        self._loop = Context().run(asyncio.new_event_loop)
        self.thread = threading.get_ident()
        self._first_step: Callable[[], object] | None = None
        self._stopped = False
        self._tasks: set[asyncio.Task[object]] = set()
        self._hooks = self._wait(asyncgen_hooks())

    def owns(self, loop: asyncio.AbstractEventLoop) -> bool:
        return self._loop is loop

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        if time.monotonic() - self._used > STALE:
            self._wait(asyncio.sleep(0))
        task = self._create_task(work)
        ours = _signal.getsignal(signal.SIGINT) is signal.default_int_handler
        if ours:
            _signal.signal(signal.SIGINT, lambda number, frame: self._handle_interrupt(task))
        try:
            self._take_first_step()
            return task.result() if task.done() and self._is_idle() else self._wait(task)
        except (KeyboardInterrupt, SystemExit):
            # The work must neither keep spending nor be dropped before it has cleaned up.
            task.cancel()
            self._wait(asyncio.wait([task]))
            if not task.cancelled():
                task.exception()  # or asyncio logs that it was never retrieved
            raise
        finally:
            if ours:
                _signal.signal(signal.SIGINT, signal.default_int_handler)
            stopped, self._stopped = self._stopped, False
            if stopped:  # whether or not the work could still be stopped
                raise KeyboardInterrupt from None

    def _create_task(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        # A task schedules its first step through this; keep the step instead.
        vars(self._loop)["call_soon"] = self._keep
        try:
            return asyncio.Task(work, loop=self._loop)
        finally:
            del vars(self._loop)["call_soon"]

    def _keep(self, step: Callable[..., object], *args: object, context: Context) -> None:
        self._first_step = partial(context.run, step, *args)

    def _take_first_step(self) -> None:
        """Run the task's first step directly, without an iteration of the loop.

        Work that waits for nothing (its replies were cached, say) is then done, at half the
        cost. Inside the step, the loop is running and the task is current, as usual.
        """
        step, self._first_step = self._first_step, None
        if step is None:
            return
        before = sys.get_asyncgen_hooks()
        sys.set_asyncgen_hooks(*self._hooks)
        asyncio._set_running_loop(self._loop)
        try:
            step()
        finally:
            asyncio._set_running_loop(None)
            sys.set_asyncgen_hooks(*before)

    def _is_idle(self) -> bool:
        # A loop without these attributes gets a turn.
        return not (getattr(self._loop, "_ready", True) or getattr(self._loop, "_scheduled", True))

    def _wait(self, work: Awaitable[T]) -> T:
        try:
            return self._loop.run_until_complete(work)
        finally:
            self._used = time.monotonic()

    def _handle_interrupt(self, task: asyncio.Task[Any]) -> None:
        """Handle Ctrl-C: the first one cancels the work, the second one interrupts it.

        Like asyncio.run: an exception in the middle of some task's step would abandon the others.
        """
        if self._stopped or task.done():
            raise KeyboardInterrupt
        self._stopped = True
        task.cancel()
        self._loop.call_soon_threadsafe(lambda: None)  # wakes up the loop

    def start_later(self, work: Coroutine[Any, Any, object]) -> None:
        """Start ``work``, from any thread, when the loop runs next."""
        tasks = self._tasks

        def start() -> None:
            task = self._loop.create_task(work)
            tasks.add(task)
            task.add_done_callback(tasks.discard)

        self._loop.call_soon_threadsafe(start)

    def close(self) -> None:
        self._loop.run_until_complete(shut_down(self._loop))
        self._loop.close()


class _Runners:
    """The loops and the workers, created on first use and again after a fork."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pid = 0
        self._main: _Main | None = None
        self._background: BackgroundLoop | None = None
        self._beside: BackgroundLoop | None = None
        self._workers: ThreadPoolExecutor | None = None

    def _reset_after_fork(self) -> None:
        # Called with the lock held.
        if self._pid == os.getpid():
            return
        if self._pid == 0:
            atexit.register(self.close)
        # The parent process's threads do not exist in this one.
        self._pid = os.getpid()
        self._main = self._background = self._beside = self._workers = None

    def main(self) -> _Main | None:
        """Return the main thread's loop; ``None`` on another thread."""
        main = self._main
        # Every call comes here, and which thread is the main one takes longer to find out.
        if main is not None and main.thread == threading.get_ident() and self._pid == os.getpid():
            return main
        if threading.current_thread() is not threading.main_thread():
            return None
        with self._lock:
            self._reset_after_fork()
            self._main = self._main or _Main()
            return self._main

    def background(self) -> BackgroundLoop:
        with self._lock:
            self._reset_after_fork()
            self._background = self._background or BackgroundLoop()
            return self._background

    def beside(self) -> BackgroundLoop:
        with self._lock:
            self._reset_after_fork()
            self._beside = self._beside or BackgroundLoop()
            return self._beside

    def workers(self) -> ThreadPoolExecutor:
        with self._lock:
            self._reset_after_fork()
            if self._workers is None:
                self._workers = ThreadPoolExecutor(MAX_WORKERS, thread_name_prefix="langprog")
            return self._workers

    def owns(self, loop: asyncio.AbstractEventLoop) -> bool:
        return any(
            runner is not None and runner.owns(loop) for runner in (self._main, self._background)
        )

    def close(self) -> None:
        """Close connections and loops at exit."""
        if self._pid != os.getpid():
            return
        for runner in (self._main, self._beside, self._background):
            if runner is not None:
                runner.close()


_runners = _Runners()


def run_sync(work: Coroutine[Any, Any, T]) -> T:
    """Run ``work`` with the caller's settings and wait for it.

    Safe with a running loop (a notebook), and from any thread.

    Raises:
        LangprogError: Called from asynchronous code of a program, where it would wait for itself.
    """
    return _runner_here(work).run(work)


def _runner_here(work: Coroutine[Any, Any, Any]) -> _Main | BackgroundLoop:
    running = asyncio._get_running_loop()
    if running is not None and _runners.owns(running):
        work.close()
        raise LangprogError(
            "a program was called synchronously inside `async def aforward`; "
            "write `await program.acall(...)` there (asyncio.gather for several)"
        )
    main = _runners.main() if running is None else None
    return main or _runners.background()


class SyncRuns:
    """Runs that belong together, all on the loop of the first: steps of a generator, say.

    A web server, for one, takes each step in another thread.
    """

    def __init__(self) -> None:
        self._runner: _Main | BackgroundLoop | None = None

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run ``work`` like :func:`run_sync`.

        Raises:
            LangprogError: As for run_sync; or the first one ran on the main thread, whose loop
                runs only there, and this is another thread.
        """
        here = _runner_here(work)
        self._runner = self._runner or here
        if isinstance(self._runner, _Main) and self._runner is not here:
            work.close()
            raise LangprogError(
                "a stream was begun on the main thread and goes on in another one: take all of "
                "its events in one of them, or use `async for event in program.astream(...)`"
            )
        return self._runner.run(work)

    def finish(self, work: Coroutine[Any, Any, object]) -> None:
        """Run the last ``work`` of all: from another thread, when the main thread's loop runs."""
        here = _runner_here(work)
        if isinstance(self._runner, _Main) and self._runner is not here:
            self._runner.start_later(work)
        else:
            self.run(work)


def _call(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call ``function``; its own StopIteration would leave the awaiting caller hanging."""
    try:
        return function(*args, **kwargs)
    except StopIteration as error:
        name = getattr(function, "__qualname__", type(function).__qualname__)
        raise RuntimeError(f"{name} raised StopIteration") from error


async def call_in_worker(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run a user's synchronous ``function`` in a worker thread, with the caller's settings.

    If the caller is cancelled, so are the programs and models that the function calls.
    """
    runs, context = WorkerRuns(), copy_context()
    context.run(worker_runs.set, runs)
    call = partial(context.run, partial(_call, function, *args, **kwargs))
    loop = asyncio.get_running_loop()
    try:
        # In an empty context, so that a reused thread does not keep this call's context.
        return await Context().run(loop.run_in_executor, _runners.workers(), call)
    except asyncio.CancelledError:
        runs.cancel()
        raise


async def call_in_own_thread(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run a user's synchronous ``function`` like :func:`call_in_worker`, in a thread of its own.

    For functions that may hang: the end of the process waits for the workers, but not for this
    thread, and whoever gives up waiting leaves it behind.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()
    runs, context = WorkerRuns(), copy_context()
    context.run(worker_runs.set, runs)
    call = partial(context.run, partial(_call, function, *args, **kwargs))

    def settle(set_outcome: Callable[[Any], None], outcome: object) -> None:
        if not done.done():
            set_outcome(outcome)

    def work() -> None:
        set_outcome: Callable[[Any], None] = done.set_result
        outcome: object
        try:
            outcome = call()
        except BaseException as error:  # noqa: BLE001 - handed to the waiting task, not kept
            set_outcome, outcome = done.set_exception, error
        with suppress(RuntimeError):  # the loop has been closed in the meantime
            loop.call_soon_threadsafe(settle, set_outcome, outcome)

    thread = threading.Thread(target=work, name="langprog-call", daemon=True)
    Context().run(thread.start)
    try:
        return await done
    except asyncio.CancelledError:
        runs.cancel()
        raise


# The loop from which code on the loop beside ours was started.
_home: ContextVar[asyncio.AbstractEventLoop | None] = ContextVar("langprog_home", default=None)


async def run_beside(work: Coroutine[Any, Any, T]) -> T:
    """Run a user's asynchronous ``work`` on one loop beside ours, which it may block."""
    token = _home.set(asyncio.get_running_loop())
    try:
        return await _runners.beside().wait_for(work)
    finally:
        _home.reset(token)


async def run_at_home(work: Coroutine[Any, Any, T]) -> T:
    """Run ``work`` where :func:`run_beside` was called, whose connections are open; else here."""
    home = _home.get()
    if home is None or home is asyncio.get_running_loop():
        return await work
    return await wait_on(home, work)
