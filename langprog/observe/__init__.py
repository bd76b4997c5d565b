"""Observing a run while it runs.

- ``events``: what is told. ``watch``: who is told.
- ``channel``: passes events on to a stream's consumer, across event loops.
- ``callback``: code of a user's own that is told. ``call_log``: a log of calls in a file.
  ``otel``: OpenTelemetry spans.
"""

from langprog.observe.call_log import CallLog, read_calls
from langprog.observe.callback import Callback, CallbackLike, Listener, Observer
from langprog.observe.channel import Channel
from langprog.observe.events import (
    AdapterFinished,
    AdapterStarted,
    CallbackEvent,
    CallFailed,
    CallFinished,
    CallKind,
    CallStarted,
    CompileFinished,
    CompileStarted,
    ElementFinished,
    EvaluationFinished,
    EvaluationStarted,
    FieldDelta,
    ModelFinished,
    ModelStarted,
    StepEvent,
    StepFailed,
    StepFinished,
    StepReset,
    StepStarted,
    ThinkingDelta,
    ToolFinished,
    ToolStarted,
)
from langprog.observe.otel import OpenTelemetry
from langprog.observe.watch import Watch

__all__ = [
    "AdapterFinished",
    "AdapterStarted",
    "CallFailed",
    "CallFinished",
    "CallKind",
    "CallLog",
    "CallStarted",
    "Callback",
    "CallbackEvent",
    "CallbackLike",
    "Channel",
    "CompileFinished",
    "CompileStarted",
    "ElementFinished",
    "EvaluationFinished",
    "EvaluationStarted",
    "FieldDelta",
    "Listener",
    "ModelFinished",
    "ModelStarted",
    "Observer",
    "OpenTelemetry",
    "StepEvent",
    "StepFailed",
    "StepFinished",
    "StepReset",
    "StepStarted",
    "ThinkingDelta",
    "ToolFinished",
    "ToolStarted",
    "Watch",
    "read_calls",
]
