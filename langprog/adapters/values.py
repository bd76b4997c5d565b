"""Values as text and back: forgiving in form, never in content.

A value is written plainly where reading it gives the very same value back, and as a JSON string
otherwise, so that blanks at the ends, an empty text or the text ``"null"`` survive.
"""

from __future__ import annotations

import json
import re
from typing import Any

import json_repair

from langprog.errors import InputError, ParseError
from langprog.signature import FieldSpec, choices_of, optional_of

_FENCE = re.compile(r"\A```[\w-]*\n(.*?)\n?```\Z", re.DOTALL)
_TRUE = frozenset({"true", "yes"})
_FALSE = frozenset({"false", "no"})


def plain(field: FieldSpec, value: Any) -> Any:
    """Return ``value`` as plain JSON data."""
    if value is None or type(value) in (str, int, float, bool):
        return value
    return field.adapter.dump_python(value, mode="json")


def encode(field: FieldSpec, value: Any) -> str:
    """Return ``value`` as it stands in a prompt."""
    data = plain(field, value)
    if isinstance(data, (list, dict)):
        return json.dumps(data, ensure_ascii=False)
    text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False)
    if isinstance(data, str) and not _reads_back(field, text, value):
        return json.dumps(data, ensure_ascii=False)
    return text


def _reads_back(field: FieldSpec, text: str, value: Any) -> bool:
    if field.annotation is str:
        # By far the most frequent case, decided without a trial read.
        if not text or text[0] in '"`' or text != text.strip():
            return _same(decode_text(text), text)
        return "\r" not in text
    try:
        return _same(decode(field, text, checked=False), value)
    except ParseError:
        return False


def _same(one: Any, other: Any) -> bool:
    return type(one) is type(other) and bool(one == other)


def decode_text(text: str) -> str:
    """Return the text that ``text`` stands for: itself, or what a JSON string or a fence holds."""
    text = text.strip()
    fenced = _FENCE.match(text)
    if fenced:
        text = fenced.group(1).strip()
    if len(text) >= 2 and text[0] == '"' and text[-1] == '"':
        try:
            inside = json.loads(text)
        except ValueError:
            return text
        if isinstance(inside, str):
            return inside
    return text


def decode(field: FieldSpec, text: str, *, checked: bool = True) -> Any:
    """Return the value that ``text`` stands for.

    Args:
        field: The field that is read.
        text: What the model wrote for it.
        checked: Whether the field's constraints are applied.

    Raises:
        ParseError: It is no value of the field's type.
    """
    value = _decode(field, field.annotation, text)
    return fitted(field, value) if checked else value


def fitted(field: FieldSpec, value: Any) -> Any:
    """Return ``value`` validated as the field's type and constraints.

    Raises:
        ParseError: It does not fit.
    """
    try:
        return field.validate(value)
    except InputError as error:
        raise ParseError(str(error)) from None


def _decode(field: FieldSpec, annotation: Any, text: str) -> Any:
    if annotation is str:
        return decode_text(text)
    inner = optional_of(annotation)
    if inner is not None:
        if text.strip().lower() in ("null", "none"):
            return None
        return _decode(field, inner, text)
    choices = choices_of(annotation)
    if choices is not None:
        return choice(field, choices, decode_text(text))
    if annotation in (bool, int, float):
        return _scalar(field, annotation, decode_text(text))
    return _container(field, text)


def choice(field: FieldSpec, choices: dict[str, Any], text: str) -> Any:
    """Return the member that ``text`` names, whatever its case, if only one fits.

    Raises:
        ParseError: None fits, or several do.
    """
    if text in choices:
        return choices[text]
    bare = text.strip().strip("*_`'\".").strip().casefold()
    fitting = [key for key in choices if key.strip().casefold() == bare]
    if len(fitting) == 1:
        return choices[fitting[0]]
    raise ParseError(f"{field.name!r} is {_short(text)}, but must be one of: {', '.join(choices)}")


def _scalar(field: FieldSpec, annotation: Any, text: str) -> Any:
    bare = text.strip().strip("*`").strip()
    if annotation is bool:
        lowered = bare.casefold().rstrip(".")
        if lowered in _TRUE or lowered in _FALSE:
            return lowered in _TRUE
        raise ParseError(f"{field.name!r} is {_short(text)}, but must be true or false")
    number = re.sub(r"(?<=\d),(?=\d{3}\b)", "", bare)
    try:
        if annotation is float:
            return float(number)
        return int(number) if not re.fullmatch(r"[+-]?\d+\.0*", number) else int(float(number))
    except ValueError:
        kind = "a number" if annotation is float else "an integer"
        raise ParseError(f"{field.name!r} is {_short(text)}, but must be {kind}") from None


def _container(field: FieldSpec, text: str) -> Any:
    text = text.strip()
    fenced = _FENCE.match(text)
    body = fenced.group(1) if fenced else text
    try:
        return json.loads(body)
    except ValueError:
        pass
    value = json_repair.loads(body)
    if not isinstance(value, (list, dict)) or (not value and body not in ("[]", "{}")):
        raise ParseError(f"{field.name!r} is {_short(text)}, but must be {field.type_phrase}")
    return value


def _short(text: str) -> str:
    shown = " ".join(text.split())
    return repr(shown if len(shown) <= 80 else shown[:77] + "...")
