"""Native function calling: the model calls one tool, and its arguments are the outputs."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from langprog.adapters.base import Adapter, build_repair, head_of
from langprog.adapters.json_object import (
    JSONAdapter,
    object_in,
    object_text,
    values_from_object,
)
from langprog.adapters.partial import PartialReader
from langprog.adapters.partial_json import PartialJSON
from langprog.adapters.turns import render_call
from langprog.errors import InputError, ParseError
from langprog.example import Example
from langprog.lm import Completion, Message, Part, Text, ToolCall, ToolResult, ToolSpec
from langprog.signature import SignatureSpec

_JSON = JSONAdapter()
# What endpoints accept as a tool's name; the name of a short-form signature is not.
_TOOL_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


@lru_cache(maxsize=256)
def _render_static(signature: SignatureSpec, demos: tuple[Example, ...]) -> tuple[Message, ...]:
    # The part that is the same in every call is rendered only once.
    turns = [_render_demo(signature, demo, number) for number, demo in enumerate(demos, start=1)]
    return (_system(signature), *(message for turn in turns for message in turn))


@lru_cache(maxsize=256)
def _system(signature: SignatureSpec) -> Message:
    keys = ", ".join(signature.outputs)
    return Message(
        "system",
        f"{head_of(signature)}\n\nAnswer by calling the function {_name(signature)} with exactly "
        f"these arguments, in this order: {keys}",
    )


@lru_cache(maxsize=256)
def _tool(signature: SignatureSpec) -> ToolSpec:
    return ToolSpec(_name(signature), "Takes the answer.", signature.json_schema())


def _name(signature: SignatureSpec) -> str:
    return signature.name if _TOOL_NAME.fullmatch(signature.name) else "answer"


class ToolsAdapter(Adapter):
    """The adapter ``tools``: for models that were trained to call functions."""

    name = "tools"

    def render(
        self, signature: SignatureSpec, demos: Sequence[Example], inputs: Mapping[str, Any]
    ) -> tuple[Message, ...]:
        """Return system message, demonstrations as calls with their results, and the call.

        Raises:
            InputError: A value does not fit its field.
        """
        return (*_render_static(signature, tuple(demos)), *_render_call(signature, inputs))

    def tools(self, signature: SignatureSpec) -> tuple[ToolSpec, ...]:
        """Return the one tool, whose arguments are the outputs."""
        return (_tool(signature),)

    def tool_choice(self, signature: SignatureSpec) -> str:
        """Return the tool's name."""
        return _name(signature)

    def stream_reader(self, signature: SignatureSpec) -> PartialReader:
        """Return a reader of the call's arguments."""
        return PartialJSON(signature)

    def parse(self, signature: SignatureSpec, completion: Completion) -> dict[str, Any]:
        """Return the outputs by name.

        If the endpoint answers with text all the same, a JSON object in it is read.

        Raises:
            ParseError: There is neither a call nor an object, an output is missing or does not
                fit, or the model called another tool, or several times with different arguments.
        """
        calls = completion.first_tool_calls
        if not calls:
            return _parse_text(signature, completion)
        text = calls[0].arguments
        for call in calls:
            if call.name.strip().casefold() != _name(signature).casefold():
                raise ParseError(
                    f"it calls the tool {call.name!r}; there is only {_name(signature)!r}",
                    text=text,
                )
        values = _values(signature, calls[0])
        if any(_values(signature, call) != values for call in calls[1:]):
            raise ParseError("it calls the tool several times, and differently", text=text)
        return values

    def repair(
        self, messages: tuple[Message, ...], completion: Completion, reason: str
    ) -> tuple[Message, ...]:
        """Return the prompt that sends an unreadable reply back.

        Endpoints require a result for every call before the next message.
        """
        calls = completion.first_tool_calls
        if not calls:
            return build_repair(messages, completion.text, reason)
        said: tuple[Part, ...] = (Text(completion.text),) if completion.text.strip() else ()
        results = tuple(ToolResult(call.id, f"Not accepted: {reason}.") for call in calls)
        return (
            *messages,
            Message("assistant", (*said, *calls)),
            Message("tool", results),
            Message("user", f"That call was not accepted: {reason}. Call the function again."),
        )


def _parse_text(signature: SignatureSpec, completion: Completion) -> dict[str, Any]:
    try:
        return _JSON.parse(signature, completion)
    except ParseError as error:
        raise ParseError(
            f"it does not call the function {_name(signature)!r}, and {error}",
            text=completion.text,
        ) from None


def _values(signature: SignatureSpec, call: ToolCall) -> dict[str, Any]:
    text = call.arguments
    arguments = object_in(text, text)
    if arguments is None:
        raise ParseError("the arguments of the call are no JSON object", text=text)
    return values_from_object(signature, arguments.value, text)


def _render_demo(signature: SignatureSpec, demo: Example, number: int) -> tuple[Message, ...]:
    try:
        return (
            *_render_call(signature, demo),
            *_render_tool_call(signature, demo, f"demo{number:05}"),
        )
    except InputError as error:
        raise InputError(f"demonstration {number} of {signature.name}: {error}") from None


def _render_call(signature: SignatureSpec, values: Mapping[str, Any]) -> tuple[Message, ...]:
    return render_call(
        signature,
        values,
        object_text,
        lambda turn, number: _render_tool_call(signature, turn, f"turn{number:05}"),
    )


def _render_tool_call(
    signature: SignatureSpec, values: Mapping[str, Any], identity: str
) -> tuple[Message, ...]:
    # An id is nine letters and digits, which every endpoint accepts.
    answer = object_text(signature.outputs, values)
    return (
        Message("assistant", (ToolCall(identity, _name(signature), answer),)),
        Message("tool", (ToolResult(identity, "Accepted."),)),
    )
