"""Carrying the context into threads that a program's own code starts.

A new thread starts with an empty context. So a predictor that ``forward`` calls in its own thread
would silently bypass the trace, the budget, the journal and the ambient model. This cannot be
detected from inside the thread: a web server's threads also call parts of a program and look the
same. It can be detected where the work is submitted: once a program has been called, starting a
thread or submitting work to a thread pool carries the context along. Only langprog's own context
variables are carried; all others behave as usual.

A pool's thread also works for others, and may have been started inside a call that has ended. So
work submitted outside of any call runs with an empty context.

Not covered is what carries its own context (``asyncio.to_thread``, tasks, ``call_soon`` and the
like), and what cannot be detected: a thread that was started outside of any call and takes its
work from a queue. Such work has to carry its context: ``contextvars.copy_context().run`` does so.
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

# The methods that submit work to a ThreadPool, and their callable keyword arguments.
SUBMITTING = (
    *("apply", "apply_async", "map", "map_async", "starmap", "starmap_async"),
    *("imap", "imap_unordered"),
)
CALLED = frozenset({"func", "callback", "error_callback"})


class ThreadContext:
    """Gives threads the context of the code that starts them or submits their work.

    Args:
        carry: Wraps a function so that it runs in the current context; returns ``None`` if that
            context is empty.
        clear: Wraps a function so that it runs in an empty context.
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
        """Start carrying contexts, in the whole process; later calls do nothing."""
        if self._installed:
            return
        with self._lock:
            if self._installed:
                return
            from multiprocessing.pool import ThreadPool  # noqa: PLC0415 - slow to import

            # Work for another interpreter is pickled, and that interpreter has no context.
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
                # Shadows the class's method; removed once it runs, to break the reference cycle.
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
            return function  # None, or something that the pool rejects
        return self._carry(function) or self._clear(function)


def _replace(
    owner: type | ModuleType, name: str, wrapper: Callable[..., Function], **options: Any
) -> None:
    original = getattr(owner, name)
    setattr(owner, name, wraps(original)(wrapper(original, **options)))
