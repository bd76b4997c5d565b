"""Types as plain JSON, so that an artifact runs without the user's source."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Mapping
from dataclasses import is_dataclass
from enum import Enum
from typing import Annotated, Any, Literal, Optional, get_args, get_origin

from pydantic import BaseModel, Field, create_model
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from langprog.errors import SignatureError
from langprog.signature.fields import CONSTRAINTS, PLAIN, FieldSpec, optional_of

_BY_NAME = {"str": str, "int": int, "float": float, "bool": bool}


def field_to_json(field: FieldSpec) -> dict[str, Any]:
    """Return a field as plain JSON; what it does not have is left out."""
    data: dict[str, Any] = {
        "name": field.name,
        "role": field.role,
        "type": type_to_json(field.annotation),
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


def type_to_json(annotation: Any) -> Any:
    """Return a type as JSON: a name for plain types, else an object with a ``kind``.

    Raises:
        SignatureError: The type is none that a field can have.
    """
    if annotation in PLAIN:
        return annotation.__name__
    if annotation is Any:
        return "any"
    inner = optional_of(annotation)
    if inner is not None:
        return {"kind": "optional", "of": type_to_json(inner)}
    origin, args = get_origin(annotation) or annotation, get_args(annotation)
    if origin is Literal:
        return {"kind": "literal", "values": list(args)}
    if origin is list:
        return {"kind": "list", "of": type_to_json(args[0] if args else Any)}
    if origin is dict:
        of = args[1] if args else Any
        return {"kind": "dict", "of": type_to_json(of)}
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        members = {member.name: member.value for member in annotation}
        return {"kind": "enum", "name": annotation.__name__, "members": members}
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        fields = {
            key: _member(info.annotation, info) for key, info in annotation.model_fields.items()
        }
        return {"kind": "model", "name": annotation.__name__, "fields": fields}
    if isinstance(annotation, type) and is_dataclass(annotation):
        hints = typing.get_type_hints(annotation)
        return {
            "kind": "dataclass",
            "name": annotation.__name__,
            "fields": {
                f.name: type_to_json(hints[f.name]) for f in dataclasses.fields(annotation)
            },
        }
    raise SignatureError(f"the type {annotation!r} cannot be written to an artifact")


def _member(annotation: Any, info: FieldInfo) -> dict[str, Any]:
    data: dict[str, Any] = {"type": type_to_json(annotation)}
    constraints = {
        key: getattr(item, key)
        for item in info.metadata
        for key in CONSTRAINTS
        if getattr(item, key, None) is not None
    }
    if constraints:
        data["constraints"] = constraints
    if info.description:
        data["description"] = info.description
    if info.default is not PydanticUndefined:
        data["default"] = info.default
    return data


def type_from_json(data: Any) -> Any:
    """Rebuild what :func:`type_to_json` gave.

    Raises:
        SignatureError: The JSON describes no type.
    """
    if isinstance(data, str):
        if data == "any":
            return Any
        if data in _BY_NAME:
            return _BY_NAME[data]
        raise SignatureError(f"{data!r} names no type")
    kind = data.get("kind")
    if kind == "optional":
        return Optional[type_from_json(data["of"])]  # noqa: UP045 - built from values
    if kind == "literal":
        return Literal[tuple(data["values"])]
    if kind == "list":
        return list[type_from_json(data["of"])]  # type: ignore[misc]  # built from values
    if kind == "dict":
        return dict[str, type_from_json(data["of"])]  # type: ignore[misc]  # built from values
    return _named_from_json(kind, data)


def _named_from_json(kind: Any, data: Mapping[str, Any]) -> Any:
    if kind == "enum":
        return Enum(data["name"], dict(data["members"]))
    if kind == "dataclass":
        members = [(key, type_from_json(item)) for key, item in data["fields"].items()]
        return dataclasses.make_dataclass(data["name"], members)
    if kind == "model":
        return create_model(
            data["name"], **{key: _member_from_json(item) for key, item in data["fields"].items()}
        )
    raise SignatureError(f"{kind!r} is no kind of type that this version knows")


def _member_from_json(data: Mapping[str, Any]) -> Any:
    annotation = type_from_json(data["type"])
    limits = dict(data.get("constraints", {}))
    if "description" in data:
        limits["description"] = data["description"]
    default = data.get("default", ...)
    return (Annotated[annotation, Field(**limits)] if limits else annotation, default)
