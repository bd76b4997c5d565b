"""Types as plain JSON, so that an artifact runs without the user's source; ``rebuilt`` reads it.

What cannot be data stays behind: of a validator its words (the first paragraph of its docstring)
are kept, because the model reads them, but not its code; methods and computed fields of a model
are not kept either. Everything else comes back: names, order, limits, descriptions, defaults.
"""

from __future__ import annotations

import types
from collections.abc import Mapping
from enum import Enum, IntEnum, StrEnum
from typing import Any, cast

import pydantic
from pydantic import BaseModel

from langprog.signature.fields import FieldSpec
from langprog.signature.shapes import (
    REQUIRED,
    Bounded,
    Choice,
    Listing,
    Mapped,
    Maybe,
    Member,
    Plain,
    Record,
    Shape,
    shape_of,
)

# The bases of an Enum by the name that its description gives them.
ENUM_BASES: Mapping[str, tuple[type, ...]] = types.MappingProxyType(
    {
        "StrEnum": (StrEnum,),
        "IntEnum": (IntEnum,),
        "str": (str, Enum),
        "int": (int, Enum),
        "plain": (Enum,),
    }
)
# Settings of a model that change which values it takes and what it makes of them.
SETTINGS = (
    "allow_inf_nan",
    "extra",
    "frozen",
    "str_max_length",
    "str_min_length",
    "str_strip_whitespace",
    "str_to_lower",
    "str_to_upper",
    "strict",
    "use_enum_values",
)


def field_to_json(field: FieldSpec) -> dict[str, Any]:
    """Return a field as plain JSON; what it does not have is left out."""
    data: dict[str, Any] = {
        "name": field.name,
        "role": field.role,
        "type": type_to_json(field.annotation, field.name),
    }
    if field.description:
        data["description"] = field.description
    if field.constraints:
        data["constraints"] = dict(field.constraints)
    return data


def type_to_json(annotation: Any, name: str = "value") -> Any:
    """Return a type as JSON: a name for plain types, else an object with a ``kind``.

    Args:
        annotation: The Python type.
        name: The field's name, for errors.

    Raises:
        SignatureError: The type is none that a field can have.
    """
    return _shape_to_json(shape_of(annotation, name))


def _shape_to_json(shape: Shape) -> Any:
    match shape:
        case Plain():
            return shape.type.__name__
        case Choice(enum=None):
            return {"kind": "literal", "values": list(shape.choices.values())}
        case Choice():
            return _enum_to_json(shape)
        case Maybe():
            return {"kind": "optional", "of": _shape_to_json(shape.of)}
        case Listing():
            return {"kind": "list", "of": _shape_to_json(shape.of)}
        case Mapped():
            of = _shape_to_json(shape.of)
            return {"kind": "dict", "keys": _shape_to_json(shape.keys), "of": of}
        case Bounded():
            data: dict[str, Any] = {"kind": "bounded", "of": _shape_to_json(shape.of)}
            data["limits"] = dict(shape.limits)
            return {**data, "rules": list(shape.rules)} if shape.rules else data
        case Record():
            return _record_to_json(shape)
        case _:
            return "any"


def _enum_to_json(shape: Choice) -> dict[str, Any]:
    enum = cast(type[Enum], shape.enum)
    base = next(name for name, bases in ENUM_BASES.items() if issubclass(enum, bases[0]))
    members = [[member.name, member.value] for member in enum]
    return {"kind": "enum", "name": enum.__name__, "base": base, "members": members}


def _record_to_json(shape: Record) -> dict[str, Any]:
    cls: Any = shape.type
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
        data["description"] = member.description
    if member.default is not REQUIRED:
        data["default"] = pydantic.TypeAdapter(Any).dump_python(member.default, mode="json")
    return data
