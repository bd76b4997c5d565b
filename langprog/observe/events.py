"""What is told about a run while it runs.

A *call* is one call of a module, a model, an adapter, a tool, an evaluation or a compile. Its
number is unique among all that the same listeners are told about, so that calls of the same
module that run at the same time can be told apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from langprog.lm import Completion, Request


@dataclass(frozen=True, slots=True)
class StepStarted:
    """A module was called, or a tool of a ReAct.

    Args:
        path: The module's path in the program, as in ``program.named_modules()``; of a module
            that is not part of it, its class; of a tool, ``tools[name]`` after the path.
        call: The call's number.
        parent: The number of the call in which it was called; ``None`` for the program itself.
        index: Its place among the elements of a Map or the samples of a Vote, from 0.
        module: The module's class; ``Tool`` for a tool.
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


# --- what callbacks are told as well -------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ModelStarted:
    """A model was asked, perhaps to be answered by a cache.

    Args:
        call: The call's number.
        parent: The number of the call in which it was asked.
        path: The path of the predictor that asks; empty if a program's own code does.
        model: The model's name.
        endpoint: Where it is, without secrets.
        request: The request, its sampling filled in.
    """

    call: int
    parent: int | None
    path: str
    model: str
    endpoint: str
    request: Request


@dataclass(frozen=True, slots=True)
class ModelFinished:
    """A model answered.

    Args:
        call: The call's number.
        completion: What it answered, its usage and its price.
    """

    call: int
    completion: Completion


@dataclass(frozen=True, slots=True)
class AdapterStarted:
    """An adapter renders a prompt or parses a reply.

    Args:
        call: The call's number.
        parent: The number of the predictor's call.
        path: The predictor's path.
        action: Which of the two.
        adapter: The adapter's name.
        value: The inputs by name, or the completion.
    """

    call: int
    parent: int | None
    path: str
    action: Literal["render", "parse"]
    adapter: str
    value: Any


@dataclass(frozen=True, slots=True)
class AdapterFinished:
    """An adapter has rendered or parsed.

    Args:
        call: The call's number.
        result: The messages, or the outputs by name.
    """

    call: int
    result: Any


@dataclass(frozen=True, slots=True)
class ToolStarted:
    """A tool was called as a model wanted it.

    Args:
        call: The call's number.
        parent: The number of the call in which it was called.
        tool: Its name.
        arguments: Its arguments by name.
    """

    call: int
    parent: int | None
    tool: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ToolFinished:
    """A tool returned.

    Args:
        call: The call's number.
        result: What it returned, as the model sees it.
    """

    call: int
    result: str


@dataclass(frozen=True, slots=True)
class EvaluationStarted:
    """A program is evaluated.

    Args:
        call: The call's number.
        parent: The number of the call in which it is.
        program: The program's class.
        examples: The number of examples.
        metric: The metric's name.
    """

    call: int
    parent: int | None
    program: str
    examples: int
    metric: str


@dataclass(frozen=True, slots=True)
class EvaluationFinished:
    """A program was evaluated.

    Args:
        call: The call's number.
        result: The Report.
    """

    call: int
    result: Any


@dataclass(frozen=True, slots=True)
class CompileStarted:
    """A program is compiled.

    Args:
        call: The call's number.
        parent: The number of the call in which it is.
        optimizer: The optimizer's class.
        program: The program's class.
    """

    call: int
    parent: int | None
    optimizer: str
    program: str


@dataclass(frozen=True, slots=True)
class CompileFinished:
    """A program was compiled.

    Args:
        call: The call's number.
        result: The Compiled.
    """

    call: int
    result: Any


CallKind = Literal["model", "adapter", "tool", "evaluation", "compile"]


@dataclass(frozen=True, slots=True)
class CallFailed:
    """A call of anything but a module raised an error, or was cancelled.

    Args:
        kind: What was called.
        call: The call's number.
        error: The error.
    """

    kind: CallKind
    call: int
    error: BaseException


StepEvent = (
    StepStarted
    | FieldDelta
    | ThinkingDelta
    | StepReset
    | StepFinished
    | StepFailed
    | ElementFinished
)
CallStarted = ModelStarted | AdapterStarted | ToolStarted | EvaluationStarted | CompileStarted
CallFinished = (
    ModelFinished | AdapterFinished | ToolFinished | EvaluationFinished | CompileFinished
)
CallbackEvent = StepStarted | StepFinished | StepFailed | CallStarted | CallFinished | CallFailed
