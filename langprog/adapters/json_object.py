"""One JSON object, constrained by a schema where the endpoint can do that."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import json_repair

from langprog.adapters.base import head_of, sent_back
from langprog.adapters.values import decode, fitted, plain
from langprog.errors import ParseError
from langprog.example import Example
from langprog.lm import Message
from langprog.signature import FieldSpec, SignatureSpec, choices_of

_FENCED = re.compile(r"```(?:json)?\s*\n(.*?)```", re.DOTALL)


@lru_cache(maxsize=256)
def _system(signature: SignatureSpec) -> Message:
    keys = ", ".join(signature.outputs)
    return Message(
        "system",
        f"{head_of(signature)}\n\nReply with one JSON object that has exactly these keys, "
        f"in this order: {keys}",
    )


@lru_cache(maxsize=256)
def _schema(signature: SignatureSpec) -> Mapping[str, Any]:
    return signature.json_schema()


class JSONAdapter:
    """The adapter ``json``."""

    name = "json"

    def render(
        self, signature: SignatureSpec, demos: Sequence[Example], inputs: Mapping[str, Any]
    ) -> tuple[Message, ...]:
        """Return system message, demonstrations as turns, and the call."""
        messages = [_system(signature)]
        for demo in demos:
            messages.append(Message("user", _object(signature.inputs, demo)))
            messages.append(Message("assistant", _object(signature.outputs, demo)))
        messages.append(Message("user", _object(signature.inputs, inputs)))
        return tuple(messages)

    def response_schema(self, signature: SignatureSpec) -> Mapping[str, Any]:
        """Return the schema of an object with exactly the outputs."""
        return _schema(signature)

    def parse(self, signature: SignatureSpec, text: str) -> dict[str, Any]:
        """Return the outputs by name.

        Raises:
            ParseError: There is no object, or an output is missing or does not fit.
        """
        found = object_in(text)
        if found is None:
            raise ParseError("it holds no JSON object", text=text)
        return values_from_object(signature, found, text)

    def repair(self, messages: tuple[Message, ...], text: str, reason: str) -> tuple[Message, ...]:
        """Return the prompt that sends an unreadable reply back."""
        return sent_back(messages, text, reason)


def _object(fields: Mapping[str, FieldSpec], values: Mapping[str, Any]) -> str:
    data = {name: plain(field, values[name]) for name, field in fields.items() if name in values}
    return json.dumps(data, ensure_ascii=False)


def object_in(text: str) -> dict[str, Any] | None:
    """Return the JSON object in ``text``, with fences and words around it taken away."""
    fenced = _FENCED.search(text)
    body = (fenced.group(1) if fenced else text).strip()
    start, end = body.find("{"), body.rfind("}")
    if start < 0:
        return None
    candidates = [body, body[start : end + 1] if end > start else body[start:]]
    for candidate in candidates:
        try:
            value = json.loads(candidate)
        except ValueError:
            continue
        if isinstance(value, dict):
            return value
    repaired = json_repair.loads(candidates[1])
    return repaired if isinstance(repaired, dict) and repaired else None


def values_from_object(
    signature: SignatureSpec, found: Mapping[str, Any], text: str
) -> dict[str, Any]:
    """Return the outputs from a JSON object.

    Raises:
        ParseError: An output is missing or does not fit.
    """
    values = {}
    for name, field in signature.outputs.items():
        if name not in found:
            raise ParseError(f"the key {name!r} is missing", text=text)
        value = found[name]
        try:
            if field.annotation is str or not isinstance(value, str):
                # Text for a text field is taken as it is: a JSON string is exact already.
                values[name] = fitted(field, _as_text(field, value))
            else:
                values[name] = decode(field, value)
        except ParseError as error:
            raise ParseError(str(error), text=text) from None
    return values


def _as_text(field: FieldSpec, value: Any) -> Any:
    if field.annotation is str and type(value) in (int, float, bool):
        return json.dumps(value)
    choices = choices_of(field.annotation)
    if choices is not None and not isinstance(value, str):
        return choices.get(str(value), value)
    return value
