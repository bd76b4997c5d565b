"""Reads values of unions from replies, and decides which of the types is meant.

If one of the types is text, reading is strict: whatever is not plainly a number, a date or a
choice is the text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from enum import Enum
from typing import Any, NamedTuple

from langprog.adapters.json_reader import Ambiguous, CutOff
from langprog.adapters.key_names import fold_key, match_keys
from langprog.adapters.loose_json import loose_json
from langprog.adapters.scalars import (
    Mismatch,
    make_mismatch,
    match_choice,
    match_label,
    parse_formatted,
    parse_number,
    parse_truth,
    strip_fence,
    unquote_text,
)
from langprog.signature import (
    REQUIRED,
    Choice,
    Fixed,
    Formatted,
    Listing,
    Mapped,
    OneOf,
    Plain,
    Record,
    Shape,
    Unfit,
    build_record,
    phrase,
    records_by_label,
    tags_of,
    without_limits,
)

_INTEGER = re.compile(r"-?(?:0|[1-9]\d*+)", re.ASCII)
_NUMBER = re.compile(r"-?(?:0|[1-9]\d*+)(?:\.\d++)?+(?:[eE][+-]?\d++)?", re.ASCII)
_TEXT = Plain(str)


class Containers(NamedTuple):
    """Readers for lists and objects.

    Args:
        from_text: Reads a value of a type from text.
        from_json: Reads a value of a type from JSON data.
        record: Reads the members of a record from an object.
    """

    from_text: Callable[[Shape, str], Any]
    from_json: Callable[[Shape, Any], Any]
    record: Callable[[Record, dict[str, Any]], Any]


def union_from_text(union: OneOf, text: str, containers: Containers) -> Any:
    """Return the value of a union from text.

    Raises:
        Mismatch: It says none.
    """
    plain = unquote_text(text)
    stripped = text.strip()
    if stripped[:1] == '"' and plain != stripped:
        return union_from_json(union, plain, containers)
    try:
        return _scalar(union, plain)
    except Mismatch as error:
        refused = error
    body = strip_fence(stripped)
    parts = [without_limits(part) for part in union.of]
    listed = next((part for part in parts if isinstance(part, (Listing, Fixed))), None)
    objects = any(isinstance(part, (Record, Mapped)) for part in parts)
    exact = body[:1] in ("[", "{", "(") or _TEXT not in parts
    if listed is not None and exact and not (objects and body[:1] == "{"):
        try:
            return containers.from_text(listed, text)
        except Mismatch as error:
            refused = error
    if objects and exact:
        data = _object_in(body)
        if data is not None:
            return _object(union, data, containers)
    if _TEXT in parts:
        return plain
    raise refused


def _object_in(body: str) -> dict[str, Any] | None:
    try:
        parsed = loose_json(body, dict, closed=True)
    except CutOff as error:
        raise Mismatch(f"is cut off: {error}") from None
    except Ambiguous as error:
        raise Mismatch(f"cannot be read: {error}") from None
    return None if parsed is None else parsed.value


def union_from_json(union: OneOf, value: Any, containers: Containers) -> Any:
    """Return the value of a union from JSON data.

    Raises:
        Mismatch: It says none.
    """
    if isinstance(value, dict):
        return _object(union, value, containers)
    if type(value) is str:
        return _read_quoted(union, value, containers)
    if isinstance(value, str):
        return _read_unquoted(union, value)
    for part in map(without_limits, union.of):
        if isinstance(value, list) and isinstance(part, (Listing, Fixed)):
            return containers.from_json(part, value)
        if isinstance(value, bool) and part == Plain(bool):
            return value
        if isinstance(part, Choice) and not isinstance(value, list):
            if json.dumps(value) in part.choices:  # true, false or null
                return part.choices[json.dumps(value)]
    raise make_mismatch(json.dumps(value, ensure_ascii=False), phrase(union))


def _read_unquoted(union: OneOf, word: str) -> Any:
    try:
        return _scalar(union, word)
    except Mismatch:
        if _TEXT in map(without_limits, union.of):
            return str(word)
        raise


def _read_quoted(union: OneOf, text: str, containers: Containers) -> Any:
    parts = [without_limits(part) for part in union.of]
    for part in parts:
        if isinstance(part, Choice) and text in part.choices:
            choice = part.choices[text]
            if isinstance(choice.value if isinstance(choice, Enum) else choice, str):
                return choice
    for part in parts:
        if isinstance(part, Formatted):
            try:
                return parse_formatted(part.type, text)
            except Mismatch:
                continue
    if _TEXT in parts:
        return text
    return union_from_text(union, text, containers) if text[:1] != '"' else _scalar(union, text)


def _scalar(union: OneOf, text: str) -> Any:
    """Return the number, bool, date or choice in a text without quotes."""
    parts = [without_limits(part) for part in union.of]
    exact = _TEXT in parts
    for part in parts:
        if isinstance(part, Choice) and text in part.choices:
            return part.choices[text]
    for kind in (bool, int, float):
        if Plain(kind) in parts:
            value = _plain(kind, text, exact, parts)
            if value is not None:
                return value
    for part in parts:
        try:
            if isinstance(part, Formatted):
                return parse_formatted(part.type, text)
            if isinstance(part, Choice) and not exact:
                return match_label(part, text)
        except Mismatch:
            continue
    raise make_mismatch(text, phrase(union))


def _plain(kind: type, text: str, exact: bool, parts: Sequence[Shape]) -> Any:
    if kind is bool:
        return _truth(text, exact)
    # Thousands separators and the like are accepted only if text is not one of the types.
    if exact and not (_INTEGER if kind is int else _NUMBER).fullmatch(text):
        return None
    # 5.0 is an integer, unless another type is closer.
    pointed = kind is int and not text.replace(",", "").strip().lstrip("+-").isdigit()
    if pointed and (Plain(float) in parts or Formatted(Decimal) in parts):
        return None
    try:
        return parse_number(kind, text)
    except Mismatch:
        return None


def _truth(text: str, exact: bool) -> bool | None:
    if exact:
        return {"true": True, "false": False}.get(text.casefold())
    try:
        return parse_truth(text)
    except Mismatch:
        return None


# --- objects -------------------------------------------------------------------------------------


def _object(union: OneOf, value: dict[str, Any], containers: Containers) -> Any:
    for part in map(without_limits, union.of):
        if isinstance(part, Mapped):
            return containers.from_json(part, value)
    record, rest = _find_record(union, value)
    try:
        return build_record(record, containers.record(record, rest))
    except Unfit as error:
        mismatched = Mismatch(error.said)
        mismatched.path = error.path
        raise mismatched from None


def _find_record(union: OneOf, value: dict[str, Any]) -> tuple[Record, dict[str, Any]]:
    """Return the record that an object belongs to, and the object without our tag."""
    records = [part for part in map(without_limits, union.of) if isinstance(part, Record)]
    if not records:
        raise make_mismatch(json.dumps(value, ensure_ascii=False), phrase(union))
    if len(records) == 1:
        return records[0], value
    tags = tags_of(union)
    tagged = records_by_label(union)
    key = tags.tag if tags.tag in value else _alike(tags.tag, value)
    if key is not None and not isinstance(value[key], (list, dict)):
        said = value[key] if isinstance(value[key], str) else json.dumps(value[key])
        record = match_choice(tagged, said)
        if not tags.labels:
            return record, value
        return record, {name: item for name, item in value.items() if name != key}
    fitting = [record for record in records if _fits(record, value)]
    if len(fitting) == 1:
        return fitting[0], value
    raise Mismatch(f"must say which type it is: {tags.tag!r} is one of: {', '.join(tagged)}")


def _alike(tag: str, value: Mapping[str, Any]) -> str | None:
    alike = [key for key in value if fold_key(key) == fold_key(tag)]
    return alike[0] if len(alike) == 1 else None


def _fits(record: Record, value: dict[str, Any]) -> bool:
    names = {member.name for member in record.members}
    needed = {member.name for member in record.members if member.default is REQUIRED}
    return needed <= match_keys(names, value).keys() <= names
