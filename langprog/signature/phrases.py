"""Types in words, as a model reads them, and as a JSON schema."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from langprog.signature.shapes import (
    CLEANING,
    PLAIN,
    REQUIRED,
    Anything,
    Bounded,
    Choice,
    Listing,
    Mapped,
    Maybe,
    Member,
    Plain,
    Record,
    Shape,
    without_limits,
)

_LIMITS: Mapping[str, str] = MappingProxyType(
    {
        "ge": ">= {}",
        "gt": "> {}",
        "le": "<= {}",
        "lt": "< {}",
        "multiple_of": "a multiple of {}",
        "min_length": "at least {} long",
        "max_length": "at most {} long",
        "pattern": "matching {}",
    }
)


def phrase(shape: Shape) -> str:
    """Return a field's type in words, its limits and rules after it: ``integer, >= 0``."""
    if isinstance(shape, Bounded):
        return ", ".join([_inner(shape.of), *_conditions(shape)])
    return _inner(shape)


def _inner(shape: Shape) -> str:
    match shape:
        case Plain():
            return PLAIN[shape.type]
        case Choice():
            return f"one of: {', '.join(shape.choices)}"
        case Maybe():
            return f"{_inner(shape.of)}, or null"
        case Listing(Anything()):
            return "JSON list"
        case Listing():
            return f"JSON list of {_inner(shape.of)}"
        case Mapped():
            return "JSON object"
        case Record():
            inside = f"JSON object: {{{', '.join(_member(m) for m in shape.members)}}}"
            return inside + _brackets(shape.rules)
        case Bounded():
            return _inner(shape.of) + _brackets(_conditions(shape))
        case _:
            return "any JSON value"


def _member(member: Member) -> str:
    limits = _conditions(member.shape) if isinstance(member.shape, Bounded) else []
    free = [] if member.default is REQUIRED else ["may be left out"]
    told = [member.description] if member.description else []
    return f'"{member.name}": {_inner(without_limits(member.shape))}' + _brackets(
        [*limits, *free, *told]
    )


def _conditions(shape: Bounded) -> list[str]:
    limits = shape.limits.items()
    return [*(_LIMITS[k].format(v) for k, v in limits if k not in CLEANING), *shape.rules]


def _brackets(parts: Iterable[str]) -> str:
    inside = "; ".join(parts)
    return f" ({inside})" if inside else ""


# --- JSON schema ---------------------------------------------------------------------------------

_TYPES: Mapping[Any, str] = MappingProxyType(
    {str: "string", int: "integer", float: "number", bool: "boolean"}
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


def schema_of(shape: Shape) -> dict[str, Any]:
    """Return the JSON schema of a value; objects are closed and definitions stand in place."""
    match shape:
        case Plain():
            return {"type": _TYPES[shape.type]}
        case Choice():
            values = [_plain(value) for value in shape.choices.values()]
            kinds = {_TYPES.get(type(value)) for value in values}
            known = len(kinds) == 1 and None not in kinds
            return {**({"type": kinds.pop()} if known else {}), "enum": values}
        case Maybe():
            return {"anyOf": [schema_of(shape.of), {"type": "null"}]}
        case Listing():
            return {"type": "array", "items": schema_of(shape.of)}
        case Mapped():
            found = {"type": "object", "additionalProperties": schema_of(shape.of)}
            if isinstance(shape.keys, Choice):
                found["propertyNames"] = {"enum": list(shape.keys.choices)}
            return found
        case Record():
            return object_schema(
                {m.name: _described(schema_of(m.shape), m.description) for m in shape.members},
                [m.name for m in shape.members if m.default is REQUIRED],
            )
        case Bounded():
            return _limited(schema_of(shape.of), shape.limits)
        case _:
            return {}


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


def _described(schema: dict[str, Any], description: str) -> dict[str, Any]:
    return {**schema, "description": description} if description else schema


def _limited(schema: dict[str, Any], limits: Mapping[str, Any]) -> dict[str, Any]:
    if "anyOf" in schema:
        first, *others = schema["anyOf"]
        return {"anyOf": [_limited(first, limits), *others]}
    found = dict(schema)
    for key, value in limits.items():
        if key in _NUMBERS:
            found[_NUMBERS[key]] = value
        elif key in ("min_length", "max_length"):
            found[key[:3] + _LENGTHS[schema["type"]]] = value
    return found
