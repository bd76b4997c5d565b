"""What is in force goes along into the threads that a program's own code uses.

A new thread starts with an empty context. So a predictor that ``forward`` calls in a thread of its
own would pass the trace, the budget, the journal and the ambient model by, without a word. From
inside the thread nobody can tell: a web server's threads call parts of a program, too, and look
the same. Who hands work over can be told, and that is where it is done: once a program has been
called, starting a thread and giving work to a pool of threads carry along what is in force at
that place. Only langprog's own context variables go along; all others stay as Python leaves them.

A thread of a pool works for others as well, and may have been started inside a call that is over
by now. So work that is given to a pool where nothing is in force runs with nothing in force.

Left alone is what carries its context by itself (``asyncio.to_thread``, tasks, ``call_soon`` and
its kin), and what cannot be seen: a thread that was started outside of any call and takes its work
from a queue. Such work has to bring its context: ``contextvars.copy_context().run`` does that.
"""

from __future__ import annotations

import _thread
import threading
from collections.abc import Callable
from concurrent import futures
from functools import wraps
from types import ModuleType
from typing import Any

Function = Callable[..., Any]

# Every way to give work to a ThreadPool, and its arguments that a thread of the pool will call.
SUBMITTING = (
    *("apply", "apply_async", "map", "map_async", "starmap", "starmap_async"),
    *("imap", "imap_unordered"),
)
CALLED = frozenset({"func", "callback", "error_callback"})


class ThreadContext:
    """Makes threads see what is in force where they, or their work, come from.

    Args:
        carried: Returns a function that calls its argument with what is in force here and now;
            ``None`` where nothing is.
        cleared: Returns a function that calls its argument with nothing in force.
    """

    def __init__(
        self,
        carry: Callable[[Function], Function | None],
        clear: Callable[[Function], Function],
    ) -> None:
        self._carry = carry
        self._clear = clear
        self._lock = threading.Lock()
        self._installed = False

    def install(self) -> None:
        """Carry from now on, in the whole process; does nothing the second time."""
        if self._installed:
            return
        with self._lock:
            if self._installed:
                return
            from multiprocessing.pool import ThreadPool  # noqa: PLC0415 - slow to import

            # Work for another interpreter goes there as bytes, and nothing is in force there.
            apart = getattr(futures, "InterpreterPoolExecutor", None) or ()
            _replace(threading.Thread, "start", self._wrap_start)
            for name in ("start_new_thread", "start_new"):
                _replace(_thread, name, self._wrap_bare_start)
            _replace(futures.ThreadPoolExecutor, "submit", self._wrap_submit, apart=apart)
            _replace(futures.Future, "add_done_callback", self._wrap_submit)
            for name in SUBMITTING:
                _replace(ThreadPool, name, self._wrap_submit, called=CALLED)
            self._installed = True

    def _wrap_start(self, original: Function) -> Function:
        def start(thread: threading.Thread) -> None:
            run = self._carry(thread.run)
            if run is not None:
                # The thread's own, in front of its class's; gone once it runs, or the two would
                # keep each other alive.
                vars(thread)["run"] = lambda: (vars(thread).pop("run"), run())
            original(thread)

        return start

    def _wrap_bare_start(self, original: Function) -> Function:
        def start(function: Any, *args: Any) -> Any:
            carry = self._carry(function) if callable(function) else None
            return original(carry or function, *args)

        return start

    def _wrap_submit(
        self,
        original: Function,
        *,
        called: frozenset[str] = frozenset(),
        apart: type | tuple[()] = (),
    ) -> Function:
        def give(owner: object, *args: Any, **kwargs: Any) -> Any:
            if isinstance(owner, apart):
                return original(owner, *args, **kwargs)
            for name in called & kwargs.keys():
                kwargs[name] = self._wrap_for_pool(kwargs[name])
            return original(owner, *map(self._wrap_for_pool, args[:1]), *args[1:], **kwargs)

        return give

    def _wrap_for_pool(self, function: Any) -> Any:
        if not callable(function):
            return function  # None, or something that the pool will refuse
        return self._carry(function) or self._clear(function)


def _replace(
    owner: type | ModuleType, name: str, wrapper: Callable[..., Function], **options: Any
) -> None:
    original = getattr(owner, name)
    setattr(owner, name, wraps(original)(wrapper(original, **options)))
