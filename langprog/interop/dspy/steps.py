"""Steps of the trace for what DSPy's predictors do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import replace
from typing import Any

from langprog.example import copy_value
from langprog.interop.dspy.errors import failure_of
from langprog.lm import Completion, Message
from langprog.modules import Recorder, TraceStep, recorder
from langprog.observe import StepFailed, StepFinished, StepStarted
from langprog.runtime import current, tell, watch_calls


class OpenStep:
    """The call of a predictor that is going on.

    Args:
        inputs: Its inputs by name.
        may_fall_back: Whether its adapter asks again where it cannot read a reply, so that a
            second call of the model is a repair.
    """

    def __init__(self, inputs: Mapping[str, Any], *, may_fall_back: bool = False) -> None:
        # As they are now: the program may append to a list that it passed.
        self.inputs = {name: copy_value(value) for name, value in inputs.items()}
        self.messages: tuple[Message, ...] = ()
        self.completions: list[Completion] = []
        self.outputs: dict[str, Any] = {}
        self.may_fall_back = may_fall_back
        # Where it is in the trace, once it has ended.
        self.place: Recorder | None = None

    def add(self, messages: tuple[Message, ...], completion: Completion) -> None:
        """Add a call of the model."""
        self.messages = self.messages or messages
        self.completions.append(completion)

    def set_outputs(self, outputs: Mapping[str, Any]) -> None:
        """Set the outputs by name."""
        self.outputs = {name: copy_value(value) for name, value in outputs.items()}

    def give_up(self) -> None:
        """Say in the trace that the program took the answer of another attempt."""
        if self.place is not None:
            entries = self.place.entries
            entries[:] = [replace(entry, superseded=True) for entry in entries]

    def to_trace(self, path: str, error: BaseException | None, *, listed: bool) -> TraceStep:
        """Return the step of the trace."""
        failure, failed_with = (None, None) if error is None else failure_of(error)
        return TraceStep(
            path,
            self.inputs,
            self.outputs if error is None else {},
            self.messages,
            tuple(self.completions),
            repairs=int(self.may_fall_back and len(self.completions) > 1),
            failure=failure,
            failed_with=failed_with,
            listed=listed,
        )


open_step: ContextVar[OpenStep | None] = ContextVar("langprog_dspy_step", default=None)


@contextmanager
def record_step(path: str, step: OpenStep, *, listed: bool) -> Iterator[None]:
    """Record the call inside the block as a step, and tell callbacks about it.

    Args:
        path: The predictor's path, or another name of what is called.
        step: The step; the block fills it.
        listed: Whether the path is that of a predictor of the program.

    Raises:
        LangprogError: The program's call to which this one belongs has ended.
    """
    outer, inner = recorder.get(), None
    if outer is not None:
        outer.check_open()
        inner = outer.inner()  # now, as the order of steps is that of their starts
    token = open_step.set(step)
    error: BaseException | None = None
    try:
        with _tell_callbacks(path, step):
            yield
    except BaseException as raised:
        error = raised
        raise
    finally:
        open_step.reset(token)
        if inner is not None:
            inner.add(step.to_trace(path, error, listed=listed))
            inner.close()
            step.place = inner


@contextmanager
def _tell_callbacks(path: str, step: OpenStep) -> Iterator[None]:
    watch = current().watch
    if watch is None or not watch.listeners:
        with nullcontext():
            yield
        return
    call = watch.next_call()
    tell(watch, StepStarted(path, call, watch.call, watch.index, "DSPyPredict", step.inputs))
    try:
        with watch_calls(watch.inside(call, path)):
            yield
    except BaseException as error:
        tell(watch, StepFailed(path, call, error))
        raise
    tell(watch, StepFinished(path, call, step.outputs))
