"""What happened inside a program: one step for every predictor that was called.

Steps are kept in the order in which the calls *started*, so that two runs of the same program
give the same trace, however the answers arrive.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from langprog.lm import Completion, Message


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
    listed: bool = True

    @property
    def text(self) -> str:
        """The completion that was read, as text."""
        return self.completions[-1].text if self.completions else ""


@dataclass(slots=True)
class Recorder:
    """Collects the steps of one module's call, and those of the modules inside it.

    Args:
        paths: ``id(predictor) -> path`` of the program that was called.
    """

    paths: Mapping[int, str]
    entries: list[Recorder | TraceStep] = field(default_factory=list)

    def inner(self) -> Recorder:
        """Open a place for a module inside; called when it starts, which fixes the order."""
        recorder = Recorder(self.paths)
        self.entries.append(recorder)
        return recorder

    def add(self, step: TraceStep) -> None:
        """Keep ``step``."""
        self.entries.append(step)

    def steps(self) -> tuple[TraceStep, ...]:
        """Every step so far, in the order in which the calls started."""
        return tuple(self._flat())

    def _flat(self) -> Iterator[TraceStep]:
        for entry in self.entries:
            if isinstance(entry, TraceStep):
                yield entry
            else:
                yield from entry._flat()


recorder: ContextVar[Recorder | None] = ContextVar("langprog_recorder", default=None)


@contextmanager
def entered(inner: Recorder) -> Iterator[Recorder]:
    """Make ``inner`` the recorder of what is called inside the block."""
    token = recorder.set(inner)
    try:
        yield inner
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
    with entered(Recorder(paths or {})) as outer:
        yield outer


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
