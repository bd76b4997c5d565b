"""Types as plain JSON, so that an artifact runs without the user's source. ``rebuilt`` reads it.

Code is not kept: of a validator only its words (the first paragraph of its docstring, which the
model reads), and of a model neither methods nor computed fields. Everything else is restored:
names, order, limits, descriptions, defaults.
"""

from __future__ import annotations

import types
from collections.abc import Mapping
from enum import Enum, IntEnum, StrEnum
from typing import Any, cast

import pydantic
from pydantic import BaseModel

from langprog.errors import SignatureError
from langprog.signature.annotations import shape_of
from langprog.signature.fields import FieldSpec
from langprog.signature.formats import write_formatted
from langprog.signature.phrases import phrase
from langprog.signature.plain_data import PlainWriter, is_special
from langprog.signature.records import is_named_tuple, is_typed_dict
from langprog.signature.shapes import (
    ABSENT,
    REQUIRED,
    Again,
    Attachment,
    Bounded,
    Choice,
    Conversation,
    Fixed,
    Formatted,
    Listing,
    Mapped,
    Maybe,
    Member,
    Named,
    OneOf,
    Plain,
    Record,
    Shape,
)

# The bases of an Enum, by their names in the JSON.
ENUM_BASES: Mapping[str, tuple[type, ...]] = types.MappingProxyType(
    {
        "StrEnum": (StrEnum,),
        "IntEnum": (IntEnum,),
        "str": (str, Enum),
        "int": (int, Enum),
        "plain": (Enum,),
    }
)
# Factories that return equal values each time; the value is stored instead.
_PURE = (list, dict, set, frozenset, tuple, str, int, float, bool)
# Settings of a model that affect validation.
SETTINGS = (
    "allow_inf_nan",
    "extra",
    "frozen",
    "populate_by_name",
    "str_max_length",
    "str_min_length",
    "str_strip_whitespace",
    "str_to_lower",
    "str_to_upper",
    "strict",
    "use_enum_values",
    "validate_by_alias",
    "validate_by_name",
)


def field_to_json(field: FieldSpec) -> dict[str, Any]:
    """Return a field as plain JSON, without empty attributes."""
    data: dict[str, Any] = {
        "name": field.name,
        "role": field.role,
        "type": type_to_json(field.annotation, field.name),
    }
    if field.description:
        data["description"] = field.description
    if field.constraints:
        data["constraints"] = _limits(field.constraints)
    if field.default is not REQUIRED:
        data["default"] = field.plain(field.default)
    if field.default_factory in _PURE:
        data["default"] = field.plain(field.default_value())
    elif field.default_factory is not None:
        data["default_factory"] = factory_name(field.default_factory)
    if phrase(field.shape, field.wording) != phrase(field.shape, 1):
        data["wording"] = field.wording
    return data


def factory_name(factory: Any) -> str:
    """Return the name under which an artifact refers to a default factory."""
    name = getattr(factory, "name", None)
    if isinstance(name, str):  # a placeholder for a function that is not here
        return name
    path = getattr(factory, "__qualname__", type(factory).__qualname__)
    return f"{getattr(factory, '__module__', None) or 'builtins'}:{path}"


def _limits(limits: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: value if isinstance(value, (int, float, str)) else write_formatted(value)
        for key, value in limits.items()
    }


def type_to_json(annotation: Any, name: str = "value") -> Any:
    """Return a type as JSON: a name for plain types, else an object with a ``kind``.

    Args:
        annotation: The Python type.
        name: The field's name, for errors.

    Raises:
        SignatureError: A field cannot have this type.
    """
    return _shape_to_json(shape_of(annotation, name))


def same_type(first: Any, second: Any) -> bool:
    """Return whether two types are equal, ignoring descriptions that earlier versions lost.

    Those are compared through the prompts that show them.

    Raises:
        SignatureError: A field cannot have one of them.
    """
    return bool(_drop_told(type_to_json(first)) == _drop_told(type_to_json(second)))


def _drop_told(data: Any) -> Any:
    if isinstance(data, dict):
        return {key: _drop_told(item) for key, item in data.items() if key != "told"}
    return [_drop_told(item) for item in data] if isinstance(data, list) else data


def _shape_to_json(shape: Shape) -> Any:
    match shape:
        case Plain():
            return shape.type.__name__
        case Choice() if shape.told:
            of = _shape_to_json(Choice(shape.choices, shape.enum))
            return {"kind": "described", "of": of, "labels": dict(shape.told)}
        case Choice(enum=None):
            return {"kind": "literal", "values": list(shape.choices.values())}
        case Choice():
            return _enum_to_json(shape)
        case Maybe():
            return {"kind": "optional", "of": _shape_to_json(shape.of)}
        case Listing():
            kind = "tuple_of" if shape.type is tuple else shape.type.__name__
            return {"kind": kind, "of": _shape_to_json(shape.of)}
        case Mapped():
            of = _shape_to_json(shape.of)
            return {"kind": "dict", "keys": _shape_to_json(shape.keys), "of": of}
        case Bounded():
            data: dict[str, Any] = {"kind": "bounded", "of": _shape_to_json(shape.of)}
            data["limits"] = _limits(shape.limits)
            return {**data, "rules": list(shape.rules)} if shape.rules else data
        case Record():
            return _record_to_json(shape)
        case _:
            return _newer_to_json(shape)


def _newer_to_json(shape: Shape) -> Any:
    match shape:
        case Formatted():
            return shape.type.__name__
        case Fixed():
            return {"kind": "tuple", "of": [_shape_to_json(part) for part in shape.of]}
        case OneOf():
            return {"kind": "union", "of": [_shape_to_json(part) for part in shape.of]}
        case Named():
            return {"kind": "recursive", "name": shape.name, "of": _shape_to_json(shape.of)}
        case Again():
            return {"kind": "again", "name": shape.name}
        case Attachment():
            return shape.type.__name__.lower()
        case Conversation():
            return "history"
        case _:
            return "any"


def _enum_to_json(shape: Choice) -> dict[str, Any]:
    enum = cast(type[Enum], shape.enum)
    base = next(name for name, bases in ENUM_BASES.items() if issubclass(enum, bases[0]))
    members = [[member.name, member.value] for member in enum]
    return {"kind": "enum", "name": enum.__name__, "base": base, "members": members}


def _record_to_json(shape: Record) -> dict[str, Any]:
    cls: Any = shape.type
    if is_typed_dict(cls) or is_named_tuple(cls):
        kind = "typed_dict" if is_typed_dict(cls) else "named_tuple"
        members = [_member_to_json(member) for member in shape.members]
        return {"kind": kind, "name": cls.__name__, "fields": members}
    model = issubclass(cls, BaseModel)
    data: dict[str, Any] = {"kind": "model" if model else "dataclass", "name": cls.__name__}
    if not model:
        data["frozen"] = cls.__dataclass_params__.frozen
    checked = pydantic.dataclasses.is_pydantic_dataclass(cls)
    if checked:
        data["pydantic"] = True
    config = cls.model_config if model else getattr(cls, "__pydantic_config__", {})
    settings = {key: config[key] for key in SETTINGS if config.get(key) is not None}
    if settings:
        data["settings"] = settings
    data["fields"] = [_member_to_json(member) for member in shape.members]
    if shape.rules:
        data["rules"] = list(shape.rules)
    return data


def _member_to_json(member: Member) -> dict[str, Any]:
    data: dict[str, Any] = {"name": member.name, "type": _shape_to_json(member.shape)}
    if member.description:
        # Earlier versions did not show it: they must ignore it, so it gets another key.
        data["description" if member.worded == 1 else "told"] = member.description
    if member.attribute:
        data["attribute"] = member.attribute
    if member.default is ABSENT:
        data["optional"] = True
    elif member.default is not REQUIRED:
        data["default"] = _default_to_json(member)
    return data


def _default_to_json(member: Member) -> Any:
    if is_special(member.shape):
        try:
            return PlainWriter().write(member.shape, member.default)
        except (AttributeError, TypeError, ValueError):
            raise SignatureError(
                f"the default of member {member.name!r} is not a value of its type"
            ) from None
    return pydantic.TypeAdapter(Any).dump_python(member.default, mode="json")
