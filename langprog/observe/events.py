"""What is told about a run while it runs.

A *call* is one call of one module. Its number is unique within a run, so that calls of the same
module that run at the same time can be told apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class StepStarted:
    """A module was called.

    Args:
        path: The module's path in the program, as in ``program.named_modules()``; of a module
            that is not part of it, its class.
        call: The call's number.
        parent: The number of the call in which it was called; ``None`` for the program itself.
        index: Its place among the elements of a Map or the samples of a Vote, from 0.
        module: The module's class.
        inputs: Its inputs, by name.
    """

    path: str
    call: int
    parent: int | None
    index: int | None
    module: str
    inputs: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class FieldDelta:
    """A piece of an output that a predictor's model is writing.

    The pieces of a field together are its text: the value itself if that is text, else the text
    that was read as the value.

    Args:
        path: The predictor's path.
        call: The call's number.
        field: The output's name.
        text: The text to append.
    """

    path: str
    call: int
    field: str
    text: str


@dataclass(frozen=True, slots=True)
class ThinkingDelta:
    """A piece of the thinking that an endpoint reports apart from the reply.

    Args:
        path: The predictor's path.
        call: The call's number.
        text: The text to append.
    """

    path: str
    call: int
    text: str


@dataclass(frozen=True, slots=True)
class StepReset:
    """The deltas of a call so far are void; others follow, or its failure.

    It comes before a retry, before an unreadable reply is sent back, and where a complete reply
    reads differently than its beginning did.

    Args:
        path: The predictor's path.
        call: The call's number.
        reason: What went wrong.
    """

    path: str
    call: int
    reason: str


@dataclass(frozen=True, slots=True)
class StepFinished:
    """A module returned.

    Args:
        path: The module's path.
        call: The call's number.
        outputs: Its outputs, by name.
    """

    path: str
    call: int
    outputs: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class StepFailed:
    """A module raised an error, or was cancelled; the program may go on without it.

    Args:
        path: The module's path.
        call: The call's number.
        error: The error.
    """

    path: str
    call: int
    error: BaseException


@dataclass(frozen=True, slots=True)
class ElementFinished:
    """The result of an element of a Map is there, and those of all elements before it.

    Args:
        path: The Map's path.
        call: The number of the Map's call.
        index: The element's place in the list, from 0.
        result: Its Prediction, or an ElementFailure.
    """

    path: str
    call: int
    index: int
    result: Any


StepEvent = (
    StepStarted
    | FieldDelta
    | ThinkingDelta
    | StepReset
    | StepFinished
    | StepFailed
    | ElementFinished
)
