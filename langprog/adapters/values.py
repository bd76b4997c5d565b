"""Values as text and back: forgiving in form, never in content.

A value is written plainly where reading it gives the very same value back, and as a JSON string
otherwise, so that blanks at the ends, an empty text or the text ``"null"`` survive.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from langprog.adapters.loose_json import Ambiguous, CutOff, loose_json
from langprog.errors import InputError, ParseError
from langprog.signature import (
    Anything,
    Choice,
    FieldSpec,
    Listing,
    Mapped,
    Maybe,
    Plain,
    Record,
    Shape,
    whole_text,
    without_limits,
)

_FENCE = re.compile(r"\A```[\w+-]*[ \t]*\n(.*?)\n?[ \t]*```\Z", re.DOTALL)
_NUMBER = re.compile(r"[+-]?(?:[1-9]\d{0,2}(?:,\d{3})+|\d+)?(\.\d*)?(?:[eE][+-]?\d+)?", re.ASCII)
_BULLET = re.compile(r"[ \t]*(?:[-*\u2022]|\d+[.)])[ \t]+(.*\S)[ \t]*")
_TRUE = frozenset({"true", "yes"})
_FALSE = frozenset({"false", "no"})
_NULL = frozenset({"null", "none"})
_WRITER = json.JSONEncoder(ensure_ascii=False)
_DECORATION = "*_`'\" \t\r\n"


# --- writing -------------------------------------------------------------------------------------


def encode(field: FieldSpec, value: Any) -> str:
    """Return ``value`` as it stands in a prompt.

    Raises:
        InputError: It does not fit the field.
    """
    data = field.plain(value)
    return data if isinstance(data, str) and _reads_back(field, data) else json_text(data)


def json_text(data: Any) -> str:
    """Return plain data as JSON on one line, its letters as they are.

    Raises:
        InputError: A text in it holds half of a character.
    """
    text = _WRITER.encode(data)
    if not whole_text(text):
        raise InputError("a text in it holds half of a character")
    return text


def _reads_back(field: FieldSpec, text: str) -> bool:
    shape = without_limits(field.shape)
    if isinstance(shape, Plain):
        # By far the most frequent case, decided without a trial read.
        return text == text.strip() and (not text or text[0] not in '"`' or decoded(text) == text)
    try:
        again = _decode(field, shape, text)
    except ParseError:
        return False
    # A choice is known by its text, whatever type stands behind it.
    plain = getattr(again, "value", again)
    return type(plain) is str and bool(plain == text)


# --- reading -------------------------------------------------------------------------------------


def decoded(text: str) -> str:
    """Return the text that ``text`` stands for: itself, or what a fence or a JSON string holds."""
    text = text.strip()
    if text[:1] == "`":
        return unfenced(text)
    if len(text) >= 2 and text[0] == '"' and text[-1] == '"':
        try:
            inside = json.loads(text)
        except ValueError:
            return text
        if isinstance(inside, str):
            return inside
    return text


def unfenced(text: str) -> str:
    """Return what a code fence around all of ``text`` holds, else ``text``."""
    found = _FENCE.match(text)
    return found.group(1) if found and "```" not in found.group(1) else text


def decode(field: FieldSpec, text: str) -> Any:
    """Return the value that ``text`` stands for.

    Args:
        field: The field that is read.
        text: What the model wrote for it.

    Raises:
        ParseError: It is no value of the field, or breaks one of its constraints.
    """
    return fitted(field, _decode(field, field.shape, text))


def fitted(field: FieldSpec, value: Any) -> Any:
    """Return ``value`` validated as the field's type and constraints.

    Raises:
        ParseError: It does not fit.
    """
    try:
        return field.validate(value)
    except InputError as error:
        raise ParseError(str(error)) from None


def _decode(field: FieldSpec, shape: Shape, text: str) -> Any:
    match without_limits(shape):
        case Plain(type=kind) if kind is str:
            return decoded(text)
        case Plain(type=kind) if kind is bool:
            return _truth(field, decoded(text))
        case Plain(type=kind):
            return _number(field, kind, decoded(text))
        case Choice(choices=choices):
            return chosen(field, choices, decoded(text))
        case Maybe(of=of):
            return _perhaps(field, of, text)
        case whole:
            return _container(field, whole, text)


def _perhaps(field: FieldSpec, of: Shape, text: str) -> Any:
    inner = without_limits(of)
    bare = text.strip()
    if not (isinstance(inner, Choice) and bare in inner.choices):
        if bare.casefold() in _NULL or (not bare and inner != Plain(str)):
            return None
    return _decode(field, inner, text)


def chosen(field: FieldSpec, choices: Mapping[str, Any], text: str) -> Any:
    """Return the choice that ``text`` names; case, blanks, ``_`` and ``-`` count where they must.

    Raises:
        ParseError: None fits, or several do.
    """
    if text in choices:
        return choices[text]
    bare = _bare(text)
    fitting = [key for key in choices if _bare(key) == bare] if bare else []
    if len(fitting) != 1:
        raise _wrong(field, text, f"one of: {', '.join(choices)}")
    return choices[fitting[0]]


def _bare(text: str) -> str:
    return re.sub(r"[\s_-]+", " ", text.strip(_DECORATION + ".").casefold()).strip()


def _truth(field: FieldSpec, text: str) -> bool:
    bare = text.strip(_DECORATION + ".").casefold()
    if bare not in _TRUE and bare not in _FALSE:
        raise _wrong(field, text, "true or false")
    return bare in _TRUE


def _number(field: FieldSpec, kind: type, text: str) -> Any:
    if len(text) < 16 and text.isascii() and text.isdigit():
        return kind(text)
    bare = text.strip(_DECORATION)
    found = _NUMBER.fullmatch(bare)
    if found is None or not any(char.isdigit() for char in bare):
        raise _wrong(field, text, "a number" if kind is float else "an integer")
    plain = bare.replace(",", "")
    if kind is float:
        return float(plain)
    whole, _, rest = plain.partition(".")
    if rest.strip("0") or "e" in plain.lower() or not whole.strip("+-"):
        raise _wrong(field, text, "an integer")
    return int(whole) if len(whole) < 4000 else whole


def _container(field: FieldSpec, shape: Shape, text: str) -> Any:
    body = unfenced(text.strip())
    kind: type = list if isinstance(shape, Listing) else dict
    try:
        value = loose_json(body, kind, closed=isinstance(shape, Record))
    except CutOff as error:
        raise ParseError(f"{field.name!r} is cut off: {error}") from None
    except Ambiguous as error:
        raise ParseError(f"{field.name!r}: {error}") from None
    if value is None and isinstance(shape, Listing):
        value = _bullets(field, shape, body)
    if value is None or _confused(shape, value):
        raise _wrong(field, text, field.type_phrase)
    return value


def _bullets(field: FieldSpec, shape: Listing, text: str) -> list[Any] | None:
    # A list of plain values, one a line, each behind a dash or a number.
    if isinstance(without_limits(shape.of), (Listing, Mapped, Record, Anything)):
        return None
    found = [_BULLET.fullmatch(line) for line in text.splitlines() if line.strip()]
    if not found or any(item is None for item in found):
        return None
    return [_decode(field, shape.of, item.group(1)) for item in found if item is not None]


def _wrong(field: FieldSpec, text: str, wanted: str) -> ParseError:
    flat = " ".join(text.split())
    return ParseError(
        f"{field.name!r} is {flat if len(flat) <= 80 else flat[:77] + '...'!r}, "
        f"but must be {wanted}"
    )


def from_data(field: FieldSpec, value: Any) -> Any:
    """Return a field's value from what stood in a JSON reply; a JSON string is exact already.

    Raises:
        ParseError: It does not fit.
    """
    shape = without_limits(field.shape)
    inner = without_limits(shape.of) if isinstance(shape, Maybe) else shape
    if isinstance(inner, Plain):
        if inner.type is str and type(value) in (int, float, bool):
            value = json.dumps(value)
    elif isinstance(inner, Choice):
        label = value if isinstance(value, str) else json.dumps(value)
        if label in inner.choices:
            return inner.choices[label]
    if _confused(shape, value):
        raise _wrong(field, json_text(value), field.type_phrase)
    try:
        return field.validate(value)
    except InputError as error:
        if not isinstance(value, str) or inner == Plain(str):
            raise ParseError(str(error)) from None
    return decode(field, value)


def _confused(shape: Shape, value: Any) -> bool:
    """Return whether true or false stands where a number should: Python takes them for 1 and 0."""
    match without_limits(shape):
        case Plain(type=kind):
            return kind in (int, float) and isinstance(value, bool)
        case Choice(choices=choices):
            return isinstance(value, bool) and json.dumps(value) not in choices
        case Maybe(of=of):
            return _confused(of, value)
        case Listing(of=of):
            return isinstance(value, list) and any(_confused(of, item) for item in value)
        case Mapped(of=of):
            return isinstance(value, dict) and any(_confused(of, item) for item in value.values())
        case Record(members=members):
            return isinstance(value, dict) and any(
                _confused(member.shape, value.get(member.name)) for member in members
            )
        case _:
            return False
