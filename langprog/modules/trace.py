"""Traces: one step for every predictor that a program called.

Steps are ordered by the *start* of the calls, so that two runs of the same program give the same
trace, in whatever order the answers arrive.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from langprog.errors import LangprogError
from langprog.frozen import quick_init
from langprog.lm import Completion, Message
from langprog.notebook import list_short
from langprog.runtime import ThreadContext, overlay, use_settings

if TYPE_CHECKING:
    from langprog.modules.backtracking import Call

T = TypeVar("T")
P = ParamSpec("P")


@quick_init
@dataclass(frozen=True, slots=True)
class RunUsage:
    """What a run used.

    Args:
        calls: Completions used, including cached ones.
        cached_calls: Completions that were paid for earlier.
        prompt_tokens: Tokens sent, as if nothing were cached.
        completion_tokens: Tokens received, as if nothing were cached.
        dollars: Price as if nothing were cached; ``None`` if a model has no known price.
        latency: Seconds from the call to its result.
        reasks: How often an answer that failed a check was asked for again.
        unmet: Suggestions that answers failed to the end.
        repairs: How often a reply that could not be read was asked for again.
        reused: Answers to similar inputs that a semantic cache gave; nothing was asked for them.
    """

    calls: int = 0
    cached_calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    dollars: float | None = 0.0
    latency: float = 0.0
    reasks: int = 0
    unmet: int = 0
    repairs: int = 0
    reused: int = 0

    @property
    def total_tokens(self) -> int:
        """Tokens sent and received together."""
        return self.prompt_tokens + self.completion_tokens


@quick_init
@dataclass(frozen=True, slots=True)
class TraceStep:
    """One predictor's call.

    Args:
        path: The predictor's path in the program, as in ``program.predictors()``.
        inputs: Its inputs by field name.
        outputs: Its outputs by field name; empty if it failed.
        messages: The prompt.
        completions: The model's completions in their order, but the one that was used comes last.
        repairs: How often an unreadable reply was sent back (0 or 1).
        failure: Why there are no outputs; ``None`` if there are.
        failed_with: The type of the error that it raised, if it raised one.
        listed: Whether the predictor is part of the program that was called. If not (a global, or
            created in ``forward``), the path is the name of its signature.
        reasks: How often an answer that failed a check was asked for again.
        unmet: What was suggested, and the outputs do not satisfy.
        superseded: Whether the answer was given up for that of another attempt.
        similarity: How similar the input was whose answer was reused; ``None`` if none was.
    """

    path: str
    inputs: Mapping[str, Any]
    outputs: Mapping[str, Any]
    messages: tuple[Message, ...]
    completions: tuple[Completion, ...]
    repairs: int = 0
    failure: str | None = None
    failed_with: type[Exception] | None = None
    listed: bool = True
    reasks: int = 0
    unmet: tuple[str, ...] = ()
    superseded: bool = False
    similarity: float | None = None

    @property
    def text(self) -> str:
        """The text of the completion that was used."""
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
        outer: The enclosing call's recorder.
    """

    __slots__ = ("_entries", "_outer", "_over", "_process", "call", "paths")

    def __init__(self, paths: Mapping[int, str], outer: Recorder | None = None) -> None:
        self.paths = paths
        self._outer = outer
        # The module's call to which it belongs, in a program with code of its own.
        self.call: Call | None = None if outer is None else outer.call
        self._over = False
        self._process: int = os.getpid() if outer is None else outer._process
        # Steps, and the entry lists of inner recorders (which refer back to this one).
        self._entries: list[Any] = []

    def inner(self) -> Recorder:
        """Return a recorder for a module inside; call it at the start, which fixes the order."""
        recorder = Recorder(self.paths, self)
        self._entries.append(recorder._entries)
        return recorder

    def next_to(self) -> Recorder:
        """Return a recorder with this one's place in the trace, which is open if this is not."""
        new = Recorder(self.paths, self._outer)
        new.call = self.call
        self._entries.append(new._entries)
        return new

    @property
    def outer(self) -> Recorder | None:
        """The enclosing call's recorder."""
        return self._outer

    @property
    def entries(self) -> list[Any]:
        """Steps, and lists of those of the calls inside, in the order of their starts."""
        return self._entries

    def add(self, step: TraceStep) -> None:
        """Record ``step``."""
        self._entries.append(step)

    def add_first(self, step: TraceStep) -> None:
        """Record a step that began before all others here."""
        self._entries.insert(0, step)

    def steps(self) -> tuple[TraceStep, ...]:
        """Return all steps so far, in the order in which the calls started."""
        entries = self._entries
        if len(entries) == 1 and type(entries[0]) is TraceStep:  # most predictors' calls
            return (entries[0],)
        return tuple(_flat(entries))

    def close(self) -> None:
        """Refuse further calls inside."""
        self._over = True

    def check_open(self) -> None:
        """Check that the call to which this recorder belongs is still running.

        Raises:
            LangprogError: It has ended, or runs in another process.
        """
        if self._process != os.getpid():
            raise LangprogError(
                "a process forked by `forward` called a module, which the call's trace and budget "
                "would miss: use threads or lp.parallel, or start the process with "
                "multiprocessing's 'spawn'"
            )
        place: Recorder | None = self
        while place is not None:
            if place._over:
                raise LangprogError(
                    "a thread or task started by `forward` called a module after `forward` had "
                    "returned, which the trace and budget would miss: wait for it before "
                    "`forward` returns (lp.parallel does)"
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
    """Use ``inner`` as the recorder of calls inside the block."""
    token = recorder.set(inner)
    try:
        yield
    finally:
        recorder.reset(token)


@contextmanager
def record_trace(paths: Mapping[int, str] | None = None) -> Iterator[Recorder]:
    """Record the calls inside the block, even if it fails halfway.

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
    """Record the calls inside the block as one part of the enclosing call, if any.

    The part's position among the steps is that of the block's start.
    """
    outer = recorder.get()
    if outer is None:
        with record_trace() as inner:
            yield inner
    else:
        inner = outer.inner()
        with use_recorder(inner):
            yield inner


# Variables of other libraries that threads started by a call get as well.
_companions: ContextVar[tuple[ContextVar[Any], ...]] = ContextVar("langprog_along", default=())


@contextmanager
def carry_along(variable: ContextVar[Any]) -> Iterator[None]:
    """Carry another library's variable into threads that the block starts.

    Only what runs in a program's call carries anything along.

    Args:
        variable: The variable; it has a value, or a default.
    """
    token = _companions.set((*_companions.get(), variable))
    try:
        yield
    finally:
        _companions.reset(token)


@contextmanager
def _use_along(values: Sequence[tuple[ContextVar[Any], Any]]) -> Iterator[None]:
    along = tuple(variable for variable, _ in values)
    tokens = [(_companions, _companions.set(along))] if along else []
    tokens += [(variable, variable.set(value)) for variable, value in values]
    try:
        yield
    finally:
        for variable, token in reversed(tokens):
            variable.reset(token)


def _carry_context(function: Callable[P, T]) -> Callable[P, T] | None:
    outer = recorder.get()
    if outer is None:
        return None
    # Created now, so that the order of steps does not depend on the threads.
    inner, settings = outer.inner(), overlay()
    along = [(variable, variable.get()) for variable in _companions.get()]

    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        with use_recorder(inner), use_settings(settings), _use_along(along):
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
    """Add up the usage of ``steps``."""
    calls = cached = prompt = completion_tokens = reasks = unmet = repairs = reused = 0
    dollars: float | None = 0.0
    for step in steps:
        reasks += step.reasks
        unmet += len(step.unmet)
        repairs += step.repairs
        reused += step.similarity is not None
        for completion in step.completions:
            calls += 1
            cached += completion.cached
            prompt += completion.usage.prompt_tokens
            completion_tokens += completion.usage.completion_tokens
            if dollars is not None:
                dollars = None if completion.dollars is None else dollars + completion.dollars
    tokens = (prompt, completion_tokens)
    return RunUsage(calls, cached, *tokens, dollars, latency, reasks, unmet, repairs, reused)
