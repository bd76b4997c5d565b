"""Writes values of types that JSON does not have as plain JSON data.

pydantic writes most types well. This module writes what pydantic would write differently each time
(a set) or could not read back (one of two models); ``plain_reader`` reads it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any

from pydantic import BaseModel
from pydantic_core import to_jsonable_python

from langprog.media import Media
from langprog.signature.formats import write_formatted
from langprog.signature.records import is_named_tuple
from langprog.signature.shapes import (
    Attachment,
    Choice,
    Conversation,
    Fixed,
    Formatted,
    Listing,
    Mapped,
    Maybe,
    OneOf,
    Plain,
    Record,
    Shape,
    parts_of,
    without_limits,
)
from langprog.signature.unions import tags_of
from langprog.signature.validators import validator_of

_SPECIAL = (Formatted, OneOf, Attachment, Conversation, Fixed)


def is_special(shape: Shape) -> bool:
    """Return whether pydantic alone cannot read and write values of a type."""
    return any(_special(part) for part in parts_of(shape))


def _special(shape: Shape) -> bool:
    if isinstance(shape, Record):
        aliased = any(member.attribute for member in shape.members)
        return aliased or is_named_tuple(shape.type)
    return isinstance(shape, _SPECIAL) or (isinstance(shape, Listing) and shape.type is not list)


# --- writing -------------------------------------------------------------------------------------


class PlainWriter:
    """Writes values as plain JSON data.

    Args:
        media: Writes images, sounds and files.
    """

    def __init__(self, media: Callable[[Media], Any] = Media.to_plain) -> None:
        self._media = media

    def write(self, shape: Shape, value: Any) -> Any:
        """Return a value, already validated, as plain data."""
        match without_limits(shape):
            case Plain():
                return value
            case Formatted():
                return write_formatted(value)
            case Choice():
                return value.value if isinstance(value, Enum) else value
            case Maybe(of=of):
                return None if value is None else self.write(of, value)
            case Record() as record:
                return self._record(record, value)
            case OneOf() as union:
                return self._one_of(union, value)
            case Attachment():
                return self._media(value)
            case bare:
                return self._several(bare, value)

    def _several(self, shape: Shape, value: Any) -> Any:
        match shape:
            case Listing(of=of, type=kind):
                items = [self.write(of, item) for item in value]
                # The order of a set varies between processes; that of a prompt must not.
                return sorted(items, key=_key) if kind in (set, frozenset) else items
            case Fixed(of=parts):
                return [self.write(of, item) for of, item in zip(parts, value, strict=True)]
            case Mapped(keys=keys, of=of):
                return {
                    str(self.write(keys, name)): self.write(of, item)
                    for name, item in value.items()
                }
            case Conversation():
                return value.to_plain()
        return to_jsonable_python(value)

    def _record(self, record: Record, value: Any) -> dict[str, Any]:
        plain = {}
        for member in record.members:
            if isinstance(value, Mapping):
                if member.name in value:
                    plain[member.name] = self.write(member.shape, value[member.name])
            else:
                item = getattr(value, member.attribute or member.name)
                plain[member.name] = self.write(member.shape, item)
        extra = value.model_extra if isinstance(value, BaseModel) else None
        return {**plain, **to_jsonable_python(extra)} if extra else plain

    def _one_of(self, union: OneOf, value: Any) -> Any:
        part = part_of_value(union, value)
        plain = self.write(part, value)
        tags = tags_of(union)
        label = next((tags.labels[at] for at in tags.labels if union.of[at] is part), None)
        return plain if label is None else {tags.tag: label, **plain}


def _key(item: Any) -> str:
    return json.dumps(item, sort_keys=True)


def part_of_value(union: OneOf, value: Any) -> Shape:
    """Return the member of a union that a validated value belongs to."""
    for part in union.of:
        if is_of(without_limits(part), value):
            return part
    return next((part for part in union.of if _accepts(part, value)), union.of[-1])


def is_of(shape: Shape, value: Any) -> bool:
    """Return whether a value is of exactly this type, judging by its own type."""
    match shape:
        case Plain(type=kind) | Formatted(type=kind):
            return type(value) is kind
        case Choice(choices=choices, enum=enum):
            if enum is not None:
                return isinstance(value, enum)
            return any(type(value) is type(c) and value == c for c in choices.values())
        case Record(type=cls):
            return type(value) is cls or (type(value) is dict and _accepts(shape, value))
        case Listing(type=kind):
            return type(value) is kind
        case Fixed():
            return type(value) is tuple
        case Mapped():
            return type(value) is dict
    return False


def _accepts(shape: Shape, value: Any) -> bool:
    bare = without_limits(shape)
    if isinstance(bare, Record):
        try:
            if type(value) is dict:
                names = {member.name for member in bare.members}
                return (
                    value.keys() <= names
                    and validator_of(bare.type).validate_python(value) == value
                )
            return isinstance(value, bare.type)
        except ValueError:
            return False
    return isinstance(bare, (Plain, Formatted)) and isinstance(value, bare.type)
