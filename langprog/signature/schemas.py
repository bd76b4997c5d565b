"""Types as JSON schemas."""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Any, cast

from langprog.signature.shapes import (
    REQUIRED,
    Again,
    Attachment,
    Bounded,
    Choice,
    Fixed,
    Formatted,
    Listing,
    Mapped,
    Maybe,
    Named,
    OneOf,
    Plain,
    Record,
    Shape,
    without_limits,
)
from langprog.signature.unions import tags_of

_TYPES: Mapping[Any, str] = MappingProxyType(
    {str: "string", int: "integer", float: "number", bool: "boolean"}
)
_FORMATS: Mapping[Any, Mapping[str, str]] = MappingProxyType(
    {
        datetime.date: {"format": "date"},
        # Not `date-time`, which requires a time zone in JSON schema.
        datetime.datetime: {"pattern": r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}"},
        datetime.time: {"pattern": r"^\d{2}:\d{2}"},
        datetime.timedelta: {"format": "duration"},
        Decimal: {"pattern": r"^-?\d+(\.\d+)?([eE][+-]?\d+)?$"},
        uuid.UUID: {"format": "uuid"},
    }
)
_NUMBERS: Mapping[str, str] = MappingProxyType(
    {
        "ge": "minimum",
        "gt": "exclusiveMinimum",
        "le": "maximum",
        "lt": "exclusiveMaximum",
        "multiple_of": "multipleOf",
        "pattern": "pattern",
    }
)
_LENGTHS: Mapping[str, str] = MappingProxyType(
    {"string": "Length", "array": "Items", "object": "Properties"}
)


class Definitions:
    """The recursive types of a schema, kept under its ``$defs``.

    Args:
        wording: The version of the words that describe members.
        part: Returns the schema of images, sounds and files, by their class; by default an empty
            one, as prompts carry them as parts.
    """

    def __init__(
        self, wording: int, part: Callable[[type], dict[str, Any]] = lambda kind: {}
    ) -> None:
        self.wording, self.part = wording, part
        self.schemas: dict[str, dict[str, Any]] = {}
        self._names: dict[Any, str] = {}

    def reference(
        self, shape: Named | Again, make: Callable[[], dict[str, Any]], tag: str = ""
    ) -> dict[str, Any]:
        """Return a reference to a type, and store its schema.

        Args:
            shape: The type.
            make: Makes its schema.
            tag: Its tag in a union, since that changes the schema.
        """
        key = (shape.type, tag)
        if key not in self._names:
            name, number = shape.name, 2
            while name in self.schemas:
                name, number = f"{shape.name}{number}", number + 1
            self._names[key] = name
            self.schemas[name] = {}
            self.schemas[name] = make()
        return {"$ref": f"#/$defs/{self._names[key]}"}

    def attach_to(self, schema: dict[str, Any]) -> dict[str, Any]:
        """Return a schema with these definitions."""
        return {**schema, "$defs": self.schemas} if self.schemas else schema


def schema_of(shape: Shape, definitions: Definitions) -> dict[str, Any]:
    """Return the JSON schema of a value; objects are closed.

    Args:
        shape: The type.
        definitions: Collects the recursive types; all others are inlined.
    """
    match shape:
        case Plain():
            return {"type": _TYPES[shape.type]}
        case Choice():
            values = [_plain(value) for value in shape.choices.values()]
            kinds = {_TYPES.get(type(value)) for value in values}
            known = len(kinds) == 1 and None not in kinds
            return {**({"type": kinds.pop()} if known else {}), "enum": values}
        case Maybe():
            return {"anyOf": [schema_of(shape.of, definitions), {"type": "null"}]}
        case Listing() | Fixed():
            return _list(shape, definitions)
        case Mapped():
            return _dict(shape, definitions)
        case Record():
            return _record(shape, definitions)
        case Bounded():
            return _add_limits(schema_of(shape.of, definitions), shape.limits)
        case _:
            return _newer(shape, definitions)


def _newer(shape: Shape, definitions: Definitions) -> dict[str, Any]:
    match shape:
        case Formatted():
            return {"type": "string", **_FORMATS[shape.type]}
        case OneOf():
            tags = tags_of(shape)
            return {
                "anyOf": [
                    _tag_schema(part, definitions, tags.tag, tags.labels[at])
                    if at in tags.labels
                    else schema_of(part, definitions)
                    for at, part in enumerate(shape.of)
                ]
            }
        case Named(of=of):
            return definitions.reference(shape, lambda: schema_of(of, definitions))
        case Again(target=[of]):
            return definitions.reference(shape, lambda: schema_of(of, definitions))
        case Attachment():
            return definitions.part(shape.type)
        case _:
            return {}


def _tag_schema(shape: Shape, definitions: Definitions, tag: str, label: str) -> dict[str, Any]:
    record = cast(Record, without_limits(shape))
    if isinstance(shape, (Named, Again)):
        return definitions.reference(
            shape, lambda: _record(record, definitions, tag, label), f"{tag} {label}"
        )
    return _record(record, definitions, tag, label)


def _list(shape: Listing | Fixed, definitions: Definitions) -> dict[str, Any]:
    if isinstance(shape, Fixed):
        size = len(shape.of)
        places = [schema_of(part, definitions) for part in shape.of]
        items = {"prefixItems": places, "items": False}
        return {"type": "array", **items, "minItems": size, "maxItems": size}
    listed = {"type": "array", "items": schema_of(shape.of, definitions)}
    return {**listed, "uniqueItems": True} if shape.type in (set, frozenset) else listed


def _dict(shape: Mapped, definitions: Definitions) -> dict[str, Any]:
    schema = {"type": "object", "additionalProperties": schema_of(shape.of, definitions)}
    if isinstance(shape.keys, Choice):
        schema["propertyNames"] = {"enum": list(shape.keys.choices)}
    return schema


def _record(
    shape: Record, definitions: Definitions, tag: str = "", label: str = ""
) -> dict[str, Any]:
    properties: dict[str, Any] = {}
    if label:
        properties[tag] = {"type": "string", "enum": [label]}
    for m in shape.members:
        told = m.description if definitions.wording >= m.worded else ""
        properties[m.name] = _add_description(schema_of(m.shape, definitions), told)
    required = [m.name for m in shape.members if m.default is REQUIRED]
    return object_schema(properties, [tag, *required] if label else required)


def object_schema(properties: Mapping[str, Any], required: Iterable[str]) -> dict[str, Any]:
    """Return the schema of an object with these properties and no others."""
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(required),
        "additionalProperties": False,
    }


def _plain(value: Any) -> Any:
    return getattr(value, "value", value)


def _add_description(schema: dict[str, Any], description: str) -> dict[str, Any]:
    return {**schema, "description": description} if description else schema


def _add_limits(schema: dict[str, Any], limits: Mapping[str, Any]) -> dict[str, Any]:
    if "anyOf" in schema:
        first, *others = schema["anyOf"]
        return {"anyOf": [_add_limits(first, limits), *others]}
    limited = dict(schema)
    kind = str(schema.get("type", ""))
    for key, value in limits.items():
        if key == "pattern" or (key in _NUMBERS and kind != "string"):
            limited[_NUMBERS[key]] = value
        elif key in ("min_length", "max_length") and kind in _LENGTHS:
            limited[key[:3] + _LENGTHS[kind]] = value
    return limited
