"""One JSON object, constrained by a schema if the endpoint supports it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from langprog.adapters.base import Adapter, collect_outputs, head_of, render_demos
from langprog.adapters.json_reader import Ambiguous, CutOff
from langprog.adapters.key_names import match_keys
from langprog.adapters.leftovers import strip_next_turn, strip_tokens
from langprog.adapters.loose_json import LooseValue, loose_json
from langprog.adapters.partial import PartialReader
from langprog.adapters.partial_json import PartialJSON
from langprog.adapters.sentences import find_option
from langprog.adapters.thinking import Thinking, may_think
from langprog.adapters.turns import render_call
from langprog.adapters.value_text import json_text, prompt_data
from langprog.adapters.values import fit_output, from_data
from langprog.errors import ParseError
from langprog.example import Example
from langprog.lm import Completion, Message
from langprog.signature import FieldSpec, SignatureSpec


@lru_cache(maxsize=256)
def _render_static(signature: SignatureSpec, demos: tuple[Example, ...]) -> tuple[Message, ...]:
    # The part that is the same in every call is rendered only once.
    return (_system(signature), *render_demos(signature, demos, object_text))


@lru_cache(maxsize=256)
def _schema(signature: SignatureSpec) -> Mapping[str, Any]:
    return signature.json_schema()


@lru_cache(maxsize=256)
def _system(signature: SignatureSpec) -> Message:
    keys = ", ".join(signature.outputs)
    return Message(
        "system",
        f"{head_of(signature)}\n\nReply with one JSON object that has exactly these keys, "
        f"in this order: {keys}",
    )


class JSONAdapter(Adapter):
    """The adapter ``json``."""

    name = "json"

    def render(
        self, signature: SignatureSpec, demos: Sequence[Example], inputs: Mapping[str, Any]
    ) -> tuple[Message, ...]:
        """Return system message, demonstrations as turns, and the call.

        Raises:
            InputError: A value does not fit its field.
        """
        return (
            *_render_static(signature, tuple(demos)),
            *render_call(signature, inputs, object_text),
        )

    def response_schema(self, signature: SignatureSpec) -> Mapping[str, Any]:
        """Return the schema of an object with exactly the outputs; do not modify it."""
        return _schema(signature)

    def stream_reader(self, signature: SignatureSpec) -> PartialReader:
        """Return a reader of an object."""
        return PartialJSON(signature)

    def parse(self, signature: SignatureSpec, completion: Completion) -> dict[str, Any]:
        """Return the outputs by name.

        Raises:
            ParseError: There is no object, or an output is missing or does not fit.
        """
        text = completion.text
        parsed = _answer(text)
        if parsed is None:
            raise ParseError("it holds no JSON object that can be read", text=text)
        return values_from_object(signature, parsed.value, text)


def object_text(fields: Mapping[str, FieldSpec], values: Mapping[str, Any]) -> str:
    """Return the fields that have a value as one JSON object, as prompts show it."""
    data = {
        name: prompt_data(field, values[name]) for name, field in fields.items() if name in values
    }
    return json_text(data)


def _answer(text: str) -> LooseValue | None:
    plain = text[:1] == "{" and "<" not in text and "[/" not in text  # the most common case
    if plain or not may_think(text):
        return object_in(text, text)
    if text.lstrip()[:1] == "{":  # a text in it may contain a tag
        try:
            whole = object_in(text, text)
        except ParseError:
            whole = None
        if whole is not None and not whole.before:
            return whole
    thinking = Thinking(text)
    said = text[thinking.start :]
    ends = thinking.ends()
    if ends and "{" in text[ends[-1] :]:
        last = object_in(text[ends[-1] :], text)
        if last is not None:
            return last
    return object_in(said, text)


def object_in(answer: str, text: str) -> LooseValue | None:
    """Return the JSON object in a reply, without fences and words around it.

    Args:
        answer: The reply without its thinking.
        text: The whole reply, for the error.

    Raises:
        ParseError: The object is cut off, or there are several different ones.
    """
    answer = strip_next_turn(answer)
    if answer[-1:] != "}":
        answer = strip_tokens(answer)
    try:
        return loose_json(answer, dict, closed=True)
    except CutOff as error:
        raise ParseError(f"the JSON object is cut off: {error}", text=text) from None
    except Ambiguous as error:
        raise ParseError(str(error), text=text) from None


def values_from_object(
    signature: SignatureSpec, data: Mapping[str, Any], text: str
) -> dict[str, Any]:
    """Return the outputs from a JSON object; its keys may differ in case, blanks and dashes.

    Raises:
        ParseError: An output is missing or does not fit.
    """
    named = match_keys(list(signature.outputs), data)
    alone = len(signature.outputs) == 1
    return collect_outputs(
        signature, lambda field: _value(field, named[field.name], alone), text, _describe_missing
    )


def _value(field: FieldSpec, data: Any, alone: bool) -> Any:
    try:
        return from_data(field, data)
    except ParseError:
        named = find_option(field.shape, data) if alone and isinstance(data, str) else None
        if named is None:
            raise
        return fit_output(field, named)


def _describe_missing(names: Sequence[str]) -> str:
    if len(names) == 1:
        return f"the key {names[0]!r} is missing"
    return f"the keys {', '.join(map(repr, names))} are missing"
