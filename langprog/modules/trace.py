"""What happened inside a program: one step for every predictor that was called.

Steps are kept in the order in which the calls *started*, so that two runs of the same program
give the same trace, however the answers arrive.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar

from langprog.errors import LangprogError
from langprog.lm import Completion, Message
from langprog.notebook import list_short
from langprog.runtime import ThreadContext, overlay, use_settings

T = TypeVar("T")
P = ParamSpec("P")


@dataclass(frozen=True, slots=True)
class RunUsage:
    """What a run took.

    Args:
        calls: Completions used, cached ones among them.
        cached_calls: Completions that were paid for earlier.
        prompt_tokens: Tokens sent, as if nothing were cached.
        completion_tokens: Tokens received, as if nothing were cached.
        dollars: Price as if nothing were cached; ``None`` where a model has no known price.
        latency: Seconds from the call to its result.
    """

    calls: int = 0
    cached_calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    dollars: float | None = 0.0
    latency: float = 0.0

    @property
    def total_tokens(self) -> int:
        """Tokens sent and received together."""
        return self.prompt_tokens + self.completion_tokens


@dataclass(frozen=True, slots=True)
class TraceStep:
    """One predictor's call.

    Args:
        path: The predictor's place in the program, as in ``program.predictors()``.
        inputs: What it was given, by field name.
        outputs: What it answered, by field name; empty where it failed.
        messages: The prompt.
        completions: What the model answered; the last one is the one that was read.
        repairs: How often an unreadable reply was sent back (0 or 1).
        failure: Why there are no outputs, in words.
        failed_with: The type of the error that it raised, if it raised one.
        listed: Whether the predictor is a part of the program that was called. One that is not
            (a global, or made in ``forward``) has the name of its signature as path.
    """

    path: str
    inputs: Mapping[str, Any]
    outputs: Mapping[str, Any]
    messages: tuple[Message, ...]
    completions: tuple[Completion, ...]
    repairs: int = 0
    failure: str | None = None
    failed_with: type[LangprogError] | None = None
    listed: bool = True

    @property
    def text(self) -> str:
        """The completion that was read, as text."""
        return self.completions[-1].text if self.completions else ""

    def __repr__(self) -> str:
        ended = (
            ("outputs", dict(self.outputs)) if self.failure is None else ("failure", self.failure)
        )
        parts = [("path", self.path), ("inputs", dict(self.inputs)), ended]
        return f"TraceStep({list_short(parts)})"


class Recorder:
    """Collects the steps of one module's call, and those of the modules inside it.

    Args:
        paths: ``id(predictor) -> path`` of the program that was called.
        outer: The recorder of the call around this one.
    """

    __slots__ = ("_entries", "_outer", "_over", "_process", "paths")

    def __init__(self, paths: Mapping[int, str], outer: Recorder | None = None) -> None:
        self.paths = paths
        self._outer = outer
        self._over = False
        self._process: int = os.getpid() if outer is None else outer._process
        # Steps, and the entries of calls inside: not their recorders, which know this one.
        self._entries: list[Any] = []

    def inner(self) -> Recorder:
        """Open a place for a module inside; called when it starts, which fixes the order."""
        recorder = Recorder(self.paths, self)
        self._entries.append(recorder._entries)
        return recorder

    def add(self, step: TraceStep) -> None:
        """Keep ``step``."""
        self._entries.append(step)

    def steps(self) -> tuple[TraceStep, ...]:
        """Every step so far, in the order in which the calls started."""
        return tuple(_flat(self._entries))

    def close(self) -> None:
        """Refuse whatever is called inside from now on."""
        self._over = True

    def check_open(self) -> None:
        """Refuse a call that nobody waits for any more.

        Raises:
            LangprogError: The call that this one belongs to is over, or in another process.
        """
        if self._process != os.getpid():
            raise LangprogError(
                "a process that `forward` forked called a module, where no trace or budget of the "
                "call would know of it: use threads or lp.parallel, or start the process anew "
                "(multiprocessing's 'spawn')"
            )
        place: Recorder | None = self
        while place is not None:
            if place._over:
                raise LangprogError(
                    "a thread or task that `forward` started called a module after the call of "
                    "`forward` was over, where no trace or budget would know of it: wait for "
                    "it before `forward` returns (lp.parallel does)"
                )
            place = place._outer


def _flat(entries: list[Any]) -> Iterator[TraceStep]:
    for entry in entries:
        if isinstance(entry, TraceStep):
            yield entry
        else:
            yield from _flat(entry)


recorder: ContextVar[Recorder | None] = ContextVar("langprog_recorder", default=None)


@contextmanager
def use_recorder(inner: Recorder | None) -> Iterator[None]:
    """Make ``inner`` the recorder of what is called inside the block."""
    token = recorder.set(inner)
    try:
        yield
    finally:
        recorder.reset(token)


@contextmanager
def record_trace(paths: Mapping[int, str] | None = None) -> Iterator[Recorder]:
    """Record what is called inside, also where it fails halfway.

    Example::

        with record_trace() as trace:
            program(ticket="...")
        trace.steps()
    """
    threads.install()
    outer = Recorder(paths or {})
    with use_recorder(outer):
        try:
            yield outer
        finally:
            outer.close()


@contextmanager
def record_part() -> Iterator[Recorder]:
    """Record what is called inside as one part of the call around it, if there is any.

    The part's place among the steps is that of the block's start.
    """
    outer = recorder.get()
    if outer is None:
        with record_trace() as inner:
            yield inner
    else:
        inner = outer.inner()
        with use_recorder(inner):
            yield inner


def _carry_context(function: Callable[P, T]) -> Callable[P, T] | None:
    outer = recorder.get()
    if outer is None:
        return None
    # The place is taken now, so that the order of steps is not up to the threads.
    inner, settings = outer.inner(), overlay()

    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        with use_recorder(inner), use_settings(settings):
            return function(*args, **kwargs)

    return run


def _clear_context(function: Callable[P, T]) -> Callable[P, T]:
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        if recorder.get() is None:
            return function(*args, **kwargs)
        with use_recorder(None), use_settings(None):
            return function(*args, **kwargs)

    return run


threads = ThreadContext(_carry_context, _clear_context)


def usage_of(steps: tuple[TraceStep, ...], latency: float) -> RunUsage:
    """Add up what ``steps`` took."""
    calls = cached = prompt = completion_tokens = 0
    dollars: float | None = 0.0
    for step in steps:
        for completion in step.completions:
            calls += 1
            cached += completion.cached
            prompt += completion.usage.prompt_tokens
            completion_tokens += completion.usage.completion_tokens
            if dollars is not None:
                dollars = None if completion.dollars is None else dollars + completion.dollars
    return RunUsage(calls, cached, prompt, completion_tokens, dollars, latency)
