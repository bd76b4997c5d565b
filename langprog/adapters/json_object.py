"""One JSON object, constrained by a schema where the endpoint can do that."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from langprog.adapters.base import answer_in, collected, head_of, sent_back, shown
from langprog.adapters.loose_json import CutOff, loose_json
from langprog.adapters.values import from_data
from langprog.errors import ParseError
from langprog.example import Example
from langprog.lm import Message
from langprog.signature import FieldSpec, SignatureSpec


@lru_cache(maxsize=256)
def _system(signature: SignatureSpec) -> Message:
    keys = ", ".join(signature.outputs)
    return Message(
        "system",
        f"{head_of(signature)}\n\nReply with one JSON object that has exactly these keys, "
        f"in this order: {keys}",
    )


@lru_cache(maxsize=256)
def _static(signature: SignatureSpec, demos: tuple[Example, ...]) -> tuple[Message, ...]:
    return (_system(signature), *shown(signature, demos, _object))


@lru_cache(maxsize=256)
def _schema(signature: SignatureSpec) -> Mapping[str, Any]:
    return signature.json_schema()


class JSONAdapter:
    """The adapter ``json``."""

    name = "json"

    def render(
        self, signature: SignatureSpec, demos: Sequence[Example], inputs: Mapping[str, Any]
    ) -> tuple[Message, ...]:
        """Return system message, demonstrations as turns, and the call.

        Raises:
            InputError: A value does not fit its field.
        """
        static = _static(signature, tuple(demos))
        return (*static, Message("user", _object(signature.inputs, inputs)))

    def response_schema(self, signature: SignatureSpec) -> Mapping[str, Any]:
        """Return the schema of an object with exactly the outputs; not to be written to."""
        return _schema(signature)

    def parse(self, signature: SignatureSpec, text: str) -> dict[str, Any]:
        """Return the outputs by name.

        Raises:
            ParseError: There is no object, or an output is missing or does not fit.
        """
        try:
            found = loose_json(answer_in(text), dict, closed=True)
        except CutOff as error:
            raise ParseError(f"the JSON object is cut off: {error}", text=text) from None
        if found is None:
            raise ParseError("it holds no JSON object", text=text)
        return values_from_object(signature, found, text)

    def repair(self, messages: tuple[Message, ...], text: str, reason: str) -> tuple[Message, ...]:
        """Return the prompt that sends an unreadable reply back."""
        return sent_back(messages, text, reason)


def _object(fields: Mapping[str, FieldSpec], values: Mapping[str, Any]) -> str:
    data = {name: field.plain(values[name]) for name, field in fields.items() if name in values}
    return json.dumps(data, ensure_ascii=False)


def values_from_object(
    signature: SignatureSpec, found: Mapping[str, Any], text: str
) -> dict[str, Any]:
    """Return the outputs from a JSON object; its keys may differ in case, blanks and dashes.

    Raises:
        ParseError: An output is missing or does not fit.
    """
    named = by_name(signature, found)
    return collected(
        signature,
        lambda field: from_data(field, named[field.name]),
        text,
        lambda names: f"the {'key' if len(names) == 1 else 'keys'} {_quoted(names)} missing",
    )


def by_name(signature: SignatureSpec, found: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return ``found`` under the outputs' own names, where only one key can be meant."""
    if all(name in found for name in signature.outputs):
        return found
    named = dict(found)
    for name in signature.outputs:
        alike = [key for key in found if _bare(key) == _bare(name)]
        if name not in found and len(alike) == 1:
            named[name] = found[alike[0]]
    return named


def _bare(key: str) -> str:
    return re.sub(r"[\s_-]+", "", key.casefold())


def _quoted(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names)) + (" is" if len(names) == 1 else " are")
