"""Types as plain JSON, so that an artifact runs without the user's source.

What cannot be data stays behind: of a validator its words (the first paragraph of its docstring)
are kept, because the model reads them, but not its code; methods and computed fields of a model
are not kept either. Everything else comes back: names, order, limits, descriptions, defaults.
"""

from __future__ import annotations

import copy
import dataclasses
import json
import types
from collections.abc import Callable, Mapping
from enum import Enum, IntEnum, StrEnum
from functools import lru_cache
from typing import Annotated, Any, Literal, Optional, cast

import pydantic
from pydantic import AfterValidator, BaseModel, Field, StringConstraints, create_model
from pydantic import model_validator as on_model

from langprog.errors import SignatureError
from langprog.signature.fields import FieldSpec
from langprog.signature.shapes import (
    CLEANING,
    LIMITS,
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

_BY_NAME: Mapping[str, Any] = types.MappingProxyType(
    {"str": str, "int": int, "float": float, "bool": bool, "any": Any}
)
_ENUMS: Mapping[str, tuple[type, ...]] = types.MappingProxyType(
    {
        "StrEnum": (StrEnum,),
        "IntEnum": (IntEnum,),
        "str": (str, Enum),
        "int": (int, Enum),
        "plain": (Enum,),
    }
)
# Settings of a model that change which values it takes and what it makes of them.
_SETTINGS = (
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


def field_from_json(data: Mapping[str, Any]) -> FieldSpec:
    """Rebuild what :func:`field_to_json` gave."""
    return FieldSpec(
        name=data["name"],
        role=data["role"],
        annotation=type_from_json(data["type"]),
        description=data.get("description", ""),
        constraints=data.get("constraints", {}),
    )


# --- to JSON -------------------------------------------------------------------------------------


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
    base = next(name for name, bases in _ENUMS.items() if issubclass(enum, bases[0]))
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
    settings = {key: config[key] for key in _SETTINGS if config.get(key) is not None}
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


# --- from JSON -----------------------------------------------------------------------------------


def type_from_json(data: Any) -> Any:
    """Rebuild what :func:`type_to_json` gave; enums, dataclasses and models are made anew.

    Raises:
        SignatureError: The JSON describes no type.
    """
    if isinstance(data, str):
        if data in _BY_NAME:
            return _BY_NAME[data]
        raise SignatureError(f"{data!r} names no type")
    if not isinstance(data, Mapping):
        raise SignatureError(f"{data!r} describes no type")
    return _made(json.dumps(data))


@lru_cache(maxsize=1024)
def _made(text: str) -> Any:
    # The same description gives the same class, so that one step's output fits the next's input.
    data = json.loads(text)
    kind = data.get("kind")
    make = _MAKERS.get(str(kind))
    if make is None:
        raise SignatureError(f"{kind!r} is no kind of type that this version knows")
    try:
        return make(data)
    except SignatureError:
        raise
    except KeyError as error:
        raise SignatureError(f"a type of kind {kind!r} lacks {error}") from None
    except (TypeError, ValueError, AttributeError) as error:
        raise SignatureError(f"a type of kind {kind!r} cannot be rebuilt: {error}") from None


def _optional(data: Mapping[str, Any]) -> Any:
    return Optional[type_from_json(data["of"])]  # noqa: UP045 - built from values


def _literal(data: Mapping[str, Any]) -> Any:
    return Literal[tuple(data["values"])]


def _list(data: Mapping[str, Any]) -> Any:
    return list[type_from_json(data["of"])]  # type: ignore[misc]  # built from values


def _dict(data: Mapping[str, Any]) -> Any:
    keys, of = type_from_json(data["keys"]), type_from_json(data["of"])
    return dict[keys, of]  # type: ignore[valid-type]  # built from values


def _bounded(data: Mapping[str, Any]) -> Any:
    limits = dict(data["limits"])
    if not limits.keys() <= set(LIMITS):
        raise SignatureError(f"{', '.join(limits.keys() - set(LIMITS))} is no known constraint")
    cleaning = {key: limits.pop(key) for key in CLEANING if key in limits}
    marks: list[Any] = [AfterValidator(_told(words)) for words in data.get("rules", ())]
    if limits:
        marks.insert(0, Field(**limits))
    if cleaning:
        marks.insert(0, StringConstraints(**cleaning))
    of = type_from_json(data["of"])
    for mark in marks:
        of = Annotated[of, mark]
    return of


def _told(words: str) -> Callable[[Any], Any]:
    # Stands where a validator stood: the same words for the model, no code.
    def rule(value: Any) -> Any:
        return value

    rule.__doc__ = words
    return rule


def _enum(data: Mapping[str, Any]) -> Any:
    bases = _ENUMS.get(data["base"])
    if bases is None:
        raise SignatureError(f"{data['base']!r} is no base of an Enum that this version knows")
    members = [(name, value) for name, value in data["members"]]
    if len(bases) == 1:
        return cast(Any, bases[0])(data["name"], members)
    return Enum(data["name"], members, type=bases[0])


def _model(data: Mapping[str, Any]) -> Any:
    members: dict[str, Any] = {item["name"]: _member(item) for item in data["fields"]}
    return create_model(
        data["name"],
        __config__=cast(pydantic.ConfigDict, _settings(data)),
        __validators__=_checks(data),
        **members,
    )


def _dataclass(data: Mapping[str, Any]) -> Any:
    members: list[Any] = []
    for item in data["fields"]:
        annotation, default = _member(item)
        given = () if default is ... else (dataclasses.field(default_factory=_anew(default)),)
        members.append((item["name"], annotation, *given))
    settings = _settings(data)
    checked = bool(data.get("pydantic"))
    made = dataclasses.make_dataclass(
        data["name"],
        members,
        namespace=_checks(data) if checked else {"__pydantic_config__": settings},
        frozen=data["frozen"],
        kw_only=True,
    )
    if not checked:
        return made
    return pydantic.dataclasses.dataclass(made, config=cast(pydantic.ConfigDict, settings))


def _anew(default: Any) -> Callable[[], Any]:
    return lambda: copy.deepcopy(default)


def _settings(data: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in data.get("settings", {}).items() if key in _SETTINGS}


def _checks(data: Mapping[str, Any]) -> dict[str, Any]:
    return {
        f"rule_{index}": on_model(mode="after")(_told(words))
        for index, words in enumerate(data.get("rules", ()))
    }


def _member(item: Mapping[str, Any]) -> tuple[Any, Any]:
    annotation = type_from_json(item["type"])
    if item.get("description"):
        annotation = Annotated[annotation, Field(description=item["description"])]
    if "default" not in item:
        return annotation, ...
    return annotation, pydantic.TypeAdapter(annotation).validate_python(item["default"])


_MAKERS: Mapping[str, Callable[[Mapping[str, Any]], Any]] = types.MappingProxyType(
    {
        "optional": _optional,
        "literal": _literal,
        "list": _list,
        "dict": _dict,
        "bounded": _bounded,
        "enum": _enum,
        "model": _model,
        "dataclass": _dataclass,
    }
)
