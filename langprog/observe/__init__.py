"""Observing a run while it runs.

- ``events``: what is told. ``watch``: who is told.
- ``channel``: passes events on to a stream's consumer, across event loops.
"""

from langprog.observe.channel import Channel
from langprog.observe.events import (
    ElementFinished,
    FieldDelta,
    StepEvent,
    StepFailed,
    StepFinished,
    StepReset,
    StepStarted,
    ThinkingDelta,
)
from langprog.observe.watch import Watch

__all__ = [
    "Channel",
    "ElementFinished",
    "FieldDelta",
    "StepEvent",
    "StepFailed",
    "StepFinished",
    "StepReset",
    "StepStarted",
    "ThinkingDelta",
    "Watch",
]
