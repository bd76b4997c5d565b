"""Callbacks: code of a user's own that is told about calls."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, Protocol

from langprog.errors import InputError
from langprog.observe.events import (
    AdapterFinished,
    AdapterStarted,
    CallbackEvent,
    CallFailed,
    CompileFinished,
    CompileStarted,
    EvaluationFinished,
    EvaluationStarted,
    ModelFinished,
    ModelStarted,
    StepFailed,
    StepFinished,
    StepStarted,
    ToolFinished,
    ToolStarted,
)


class Observer(Protocol):
    """Anything that is told about calls."""

    def on_event(self, event: CallbackEvent, /) -> None:
        """Take one event; must be quick, as calls wait for it. May be called from any thread."""
        ...


class Callback:
    r"""Base class of callbacks: override the methods for what you want to be told.

    Methods are called where the call is made, so they must be quick and may be called from
    several threads. One that raises loses nothing: a warning says so once, and the call goes on.

    Example::

        import langprog as lp

        class Tokens(lp.Callback):
            def __init__(self):
                self.total = 0

            def on_model_end(self, event):
                self.total += event.completion.usage.total_tokens

        tokens = Tokens()
        with lp.using(lm=lp.ScriptedLM(["[[answer]]\nParis"])), lp.callbacks(tokens):
            lp.Predict("question -> answer")(question="Which city?")
        assert tokens.total > 0
    """

    def on_event(self, event: CallbackEvent, /) -> None:  # noqa: C901 - one line for each kind
        """Call the method for the kind of ``event``."""
        match event:
            case StepStarted():
                self.on_module_start(event)
            case StepFinished():
                self.on_module_end(event)
            case StepFailed():
                self.on_module_error(event)
            case ModelStarted():
                self.on_model_start(event)
            case ModelFinished():
                self.on_model_end(event)
            case AdapterStarted():
                self.on_adapter_start(event)
            case AdapterFinished():
                self.on_adapter_end(event)
            case ToolStarted():
                self.on_tool_start(event)
            case ToolFinished():
                self.on_tool_end(event)
            case EvaluationStarted():
                self.on_evaluation_start(event)
            case EvaluationFinished():
                self.on_evaluation_end(event)
            case CompileStarted():
                self.on_compile_start(event)
            case CompileFinished():
                self.on_compile_end(event)
            case CallFailed():
                self._take_failure(event)

    def _take_failure(self, event: CallFailed) -> None:
        match event.kind:
            case "model":
                self.on_model_error(event)
            case "adapter":
                self.on_adapter_error(event)
            case "tool":
                self.on_tool_error(event)
            case "evaluation":
                self.on_evaluation_error(event)
            case "compile":
                self.on_compile_error(event)

    def on_module_start(self, event: StepStarted) -> None:
        """Take the start of a module's call."""

    def on_module_end(self, event: StepFinished) -> None:
        """Take the end of a module's call."""

    def on_module_error(self, event: StepFailed) -> None:
        """Take the failure of a module's call."""

    def on_model_start(self, event: ModelStarted) -> None:
        """Take the start of a model's call."""

    def on_model_end(self, event: ModelFinished) -> None:
        """Take the end of a model's call."""

    def on_model_error(self, event: CallFailed) -> None:
        """Take the failure of a model's call."""

    def on_adapter_start(self, event: AdapterStarted) -> None:
        """Take the start of rendering or parsing."""

    def on_adapter_end(self, event: AdapterFinished) -> None:
        """Take the end of rendering or parsing."""

    def on_adapter_error(self, event: CallFailed) -> None:
        """Take the failure of rendering or parsing."""

    def on_tool_start(self, event: ToolStarted) -> None:
        """Take the start of a tool's call."""

    def on_tool_end(self, event: ToolFinished) -> None:
        """Take the end of a tool's call."""

    def on_tool_error(self, event: CallFailed) -> None:
        """Take the failure of a tool's call."""

    def on_evaluation_start(self, event: EvaluationStarted) -> None:
        """Take the start of an evaluation."""

    def on_evaluation_end(self, event: EvaluationFinished) -> None:
        """Take the end of an evaluation."""

    def on_evaluation_error(self, event: CallFailed) -> None:
        """Take the failure of an evaluation."""

    def on_compile_start(self, event: CompileStarted) -> None:
        """Take the start of a compile."""

    def on_compile_end(self, event: CompileFinished) -> None:
        """Take the end of a compile."""

    def on_compile_error(self, event: CallFailed) -> None:
        """Take the failure of a compile."""


CallbackLike = Observer | Callable[[CallbackEvent], Any]


class Listener:
    """A callback in force.

    Args:
        callback: An object with a method ``on_event``, or a function of an event.

    Raises:
        InputError: It is neither, or asynchronous.
    """

    def __init__(self, callback: CallbackLike) -> None:
        method = getattr(callback, "on_event", None)
        take = callback if method is None else method
        kind = type(callback).__name__
        if isinstance(callback, type):
            name = callback.__name__
            raise InputError(f"{name} is a class: pass a callback, {name}()")
        if not callable(take) or inspect.iscoroutinefunction(take):
            raise InputError(
                f"a callback is an lp.Callback or a function of an event, not async; this is a "
                f"{kind}"
            )
        self.take: Callable[[CallbackEvent], Any] = take
        self.name = getattr(callback, "__name__", kind)
        self.failed = False  # whether it has raised, which is said once
