"""One JSON object, constrained by a schema where the endpoint can do that."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from langprog.adapters.base import Adapter, answer_in, collected, head_of, shown
from langprog.adapters.loose_json import Ambiguous, CutOff, loose_json
from langprog.adapters.values import from_data, json_text
from langprog.errors import ParseError
from langprog.example import Example
from langprog.lm import Completion, Message
from langprog.signature import FieldSpec, SignatureSpec


@lru_cache(maxsize=256)
def _static(signature: SignatureSpec, demos: tuple[Example, ...]) -> tuple[Message, ...]:
    # What stays the same from call to call is also written only once.
    return (_system(signature), *shown(signature, demos, _object))


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
        call = Message("user", _object(signature.inputs, inputs))
        return (*_static(signature, tuple(demos)), call)

    def response_schema(self, signature: SignatureSpec) -> Mapping[str, Any]:
        """Return the schema of an object with exactly the outputs; not to be written to."""
        return _schema(signature)

    def parse(self, signature: SignatureSpec, completion: Completion) -> dict[str, Any]:
        """Return the outputs by name.

        Raises:
            ParseError: There is no object, or an output is missing or does not fit.
        """
        text = completion.text
        found = object_in(answer_in(text), text)
        if found is None:
            raise ParseError("it holds no JSON object", text=text)
        return values_from_object(signature, found, text)


def _object(fields: Mapping[str, FieldSpec], values: Mapping[str, Any]) -> str:
    data = {name: field.plain(values[name]) for name, field in fields.items() if name in values}
    return json_text(data)


def object_in(answer: str, text: str) -> dict[str, Any] | None:
    """Return the JSON object in a reply, with fences and words around it taken away.

    Args:
        answer: The part of the reply that answers.
        text: The whole reply, for the error.

    Raises:
        ParseError: The object is cut off, or there are several that differ.
    """
    try:
        found: dict[str, Any] | None = loose_json(answer, dict, closed=True)
    except CutOff as error:
        raise ParseError(f"the JSON object is cut off: {error}", text=text) from None
    except Ambiguous as error:
        raise ParseError(str(error), text=text) from None
    return found


def values_from_object(
    signature: SignatureSpec, found: Mapping[str, Any], text: str
) -> dict[str, Any]:
    """Return the outputs from a JSON object; its keys may differ in case, blanks and dashes.

    Raises:
        ParseError: An output is missing or does not fit.
    """
    named = by_name(signature, found)
    return collected(signature, lambda field: from_data(field, named[field.name]), text, _missing)


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


def _missing(names: Sequence[str]) -> str:
    if len(names) == 1:
        return f"the key {names[0]!r} is missing"
    return f"the keys {', '.join(map(repr, names))} are missing"
