"""Types from plain JSON: Enums, dataclasses and models made anew from what ``portable`` wrote.

Nothing in the JSON is trusted: whatever it holds, a type comes out or a SignatureError, in time
and memory that grow with its size alone.
"""

from __future__ import annotations

import copy
import dataclasses
import hashlib
import json
import threading
import types
import warnings
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from enum import Enum
from functools import lru_cache
from typing import Annotated, Any, Literal, Optional, cast

import pydantic
from pydantic import (
    AfterValidator,
    BaseModel,
    Field,
    StringConstraints,
    ValidationError,
    create_model,
)
from pydantic import model_validator as on_model
from pydantic_core import SchemaError

from langprog.errors import SignatureError
from langprog.signature.fields import FieldSpec, reason
from langprog.signature.json_parts import (
    flag_of,
    label,
    member_name,
    rules_of,
    scalar,
    settings_of,
    shown,
    type_name,
)
from langprog.signature.portable import ENUM_BASES, type_to_json
from langprog.signature.shapes import CLEANING, LIMITS

_BY_NAME: Mapping[str, Any] = types.MappingProxyType(
    {"str": str, "int": int, "float": float, "bool": bool, "any": Any}
)
_METHODS = frozenset({*dir(BaseModel), *dir(type(BaseModel))})
_FILTERS = threading.Lock()
# What typing, enum, dataclasses and pydantic raise for what they cannot make.
_FAILURES = (
    ArithmeticError,
    AttributeError,
    LookupError,
    NameError,
    RuntimeError,
    SchemaError,
    TypeError,
    ValueError,
)


def field_from_json(data: Mapping[str, Any]) -> FieldSpec:
    """Rebuild what :func:`langprog.signature.portable.field_to_json` gave.

    Raises:
        SignatureError: The JSON describes no field.
    """
    constraints = data.get("constraints", {})
    if not isinstance(constraints, Mapping):
        raise SignatureError(f"the constraints of field {shown(data['name'])} are no object")
    field = FieldSpec(
        name=data["name"],
        role=data["role"],
        annotation=type_from_json(data["type"]),
        description=data.get("description", ""),
        constraints=constraints,
    )
    if field.exact is None:
        _ = field.adapter  # what cannot be checked is refused now, not at the first call
        _check_same(field, data["type"])
    return field


def _check_same(field: FieldSpec, data: Any) -> None:
    # Python makes something of much that is wrong: an IntEnum takes 0.5 for 0.
    again = type_to_json(field.annotation, field.name)
    if json.dumps(again, sort_keys=True) != json.dumps(data, sort_keys=True):
        raise SignatureError(
            f"the type of field {field.name!r} is described in a way that this version would not: "
            "it would be another type"
        )


def type_from_json(data: Any) -> Any:
    """Rebuild what ``type_to_json`` gave; enums, dataclasses and models are made anew.

    Raises:
        SignatureError: The JSON describes no type.
    """
    try:
        return _type(data, {})
    except RecursionError:
        raise SignatureError("a type is nested too deeply") from None


# --- a description and its digest ----------------------------------------------------------------


class _Description:
    """A type's JSON, which compares by a digest of it.

    Args:
        data: The JSON.
        digests: Digests of the objects and lists inside, by id, so that each is read only once.
    """

    def __init__(self, data: Mapping[str, Any], digests: dict[int, bytes]) -> None:
        self.digest = _digest(data, digests)
        self.data = data
        self.digests = digests

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Description) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    def type(self, data: Any) -> Any:
        """Return the type that a part of the JSON describes."""
        return _type(data, self.digests)

    def forget(self) -> None:
        """Keep the digest alone: the cache of types holds on to it, but needs no more."""
        self.data, self.digests = types.MappingProxyType({}), {}


def _digest(data: Any, digests: dict[int, bytes]) -> bytes:
    if not isinstance(data, (dict, list)):
        return hashlib.sha256(json.dumps(data).encode()).digest()
    known = digests.get(id(data))
    if known is None:
        whole = hashlib.sha256(b"{" if isinstance(data, dict) else b"[")
        for key, value in data.items() if isinstance(data, dict) else enumerate(data):
            whole.update(json.dumps(key).encode() + _digest(value, digests))
        known = digests[id(data)] = whole.digest()
    return known


def _type(data: Any, digests: dict[int, bytes]) -> Any:
    if isinstance(data, str):
        if data in _BY_NAME:
            return _BY_NAME[data]
        raise SignatureError(f"{shown(data)} names no type")
    if not isinstance(data, dict):
        raise SignatureError(f"{shown(data)} describes no type")
    described = _Description(data, digests)
    try:
        return _made(described)
    finally:
        described.forget()


@lru_cache(maxsize=1024)
def _made(described: _Description) -> Any:
    # The same description gives the same class, so that one step's output fits the next's input.
    data = described.data
    kind = data.get("kind")
    make, known = _MAKERS.get(str(kind), (None, ""))
    if make is None:
        raise SignatureError(f"{shown(kind)} is not a kind of type that this version knows")
    unknown = data.keys() - {"kind", *known.split()}
    if unknown:
        raise SignatureError(
            f"a type of kind {kind!r} has {shown(min(unknown))}, which this version does not know"
        )
    try:
        return make(described)
    except (SignatureError, RecursionError):
        raise
    except KeyError as error:
        raise SignatureError(f"a type of kind {kind!r} lacks {error}") from None
    except _FAILURES as error:
        raise SignatureError(f"a type of kind {kind!r} cannot be rebuilt: {error}") from None


# --- the kinds -----------------------------------------------------------------------------------


def _optional(described: _Description) -> Any:
    return Optional[described.type(described.data["of"])]  # noqa: UP045 - built from values


def _literal(described: _Description) -> Any:
    values = tuple(scalar(value) for value in described.data["values"])
    if not values:
        raise SignatureError("a literal has no values to choose from")
    return Literal[values]


def _list(described: _Description) -> Any:
    return list[described.type(described.data["of"])]  # type: ignore[misc]  # built from values


def _dict(described: _Description) -> Any:
    data = described.data
    keys, of = described.type(data["keys"]), described.type(data["of"])
    return dict[keys, of]  # type: ignore[valid-type]  # built from values


def _bounded(described: _Description) -> Any:
    data = described.data
    limits = dict(data["limits"])
    if not limits.keys() <= set(LIMITS):
        raise SignatureError(f"{shown(min(limits.keys() - set(LIMITS)))} is no known constraint")
    cleaning = {key: limits.pop(key) for key in CLEANING if key in limits}
    marks: list[Any] = [AfterValidator(_told(words)) for words in rules_of(data)]
    if limits:
        marks.insert(0, Field(**limits))
    if cleaning:
        marks.insert(0, StringConstraints(**cleaning))
    of = described.type(data["of"])
    for mark in marks:
        of = Annotated[of, mark]
    return of


def _told(words: str) -> Callable[[Any], Any]:
    # Stands where a validator stood: the same words for the model, no code.
    def rule(value: Any) -> Any:
        return value

    rule.__doc__ = words
    return rule


def _enum(described: _Description) -> Any:
    data = described.data
    bases = ENUM_BASES.get(data["base"])
    if bases is None:
        raise SignatureError(
            f"{shown(data['base'])} is no base of an Enum that this version knows"
        )
    members = [(label(name), scalar(value)) for name, value in data["members"]]
    if not members:
        raise SignatureError("an Enum has no members to choose from")
    if any(name.startswith("_") and name.endswith("_") for name, _ in members):
        raise SignatureError("a member of an Enum has a name that Python keeps for itself")
    if len(bases) == 1:
        return cast(Any, bases[0])(type_name(data["name"]), members)
    return Enum(type_name(data["name"]), members, type=bases[0])


def _model(described: _Description) -> Any:
    data = described.data
    members: dict[str, Any] = {
        member_name(item["name"]): _member(described, item) for item in data["fields"]
    }
    if len(members) != len(data["fields"]):
        raise SignatureError("a model has two fields of the same name")
    taken = next((name for name in members if name[0] == "_" or name == "model_config"), None)
    if taken is not None:
        raise SignatureError(f"a model has no field {shown(taken)}: pydantic keeps the name")
    # A field may be named model_...: it was in the model that is rebuilt here.
    config = {**settings_of(data), "protected_namespaces": ()}
    with _quiet(members):
        return create_model(
            type_name(data["name"]),
            __config__=cast(pydantic.ConfigDict, config),
            __validators__=_checks(data),
            **members,
        )


@contextmanager
def _quiet(names: Collection[str]) -> Iterator[None]:
    # Whoever wrote the model was told already that a field hides a method. Filters are those of
    # the whole process, so that they are touched for such models alone, and by one thread.
    if _METHODS.isdisjoint(names):
        yield
        return
    with _FILTERS, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _dataclass(described: _Description) -> Any:
    data = described.data
    members: list[Any] = []
    for item in data["fields"]:
        annotation, default = _member(described, item)
        given = () if default is ... else (dataclasses.field(default_factory=_anew(default)),)
        members.append((member_name(item["name"]), annotation, *given))
    settings = settings_of(data)
    checked = flag_of(data, "pydantic")
    made = dataclasses.make_dataclass(
        type_name(data["name"]),
        members,
        namespace=_checks(data) if checked else {"__pydantic_config__": settings},
        frozen=flag_of(data, "frozen"),
        kw_only=True,
    )
    if not checked:
        return made
    return pydantic.dataclasses.dataclass(made, config=cast(pydantic.ConfigDict, settings))


def _anew(default: Any) -> Callable[[], Any]:
    return lambda: copy.deepcopy(default)


def _checks(data: Mapping[str, Any]) -> dict[str, Any]:
    return {
        f"rule_{index}": on_model(mode="after")(_told(words))
        for index, words in enumerate(rules_of(data))
    }


def _member(described: _Description, item: Mapping[str, Any]) -> tuple[Any, Any]:
    annotation = described.type(item["type"])
    told = item.get("description", "")
    if not isinstance(told, str):
        raise SignatureError(f"the description of member {shown(item['name'])} must be text")
    if told:
        annotation = Annotated[annotation, Field(description=told)]
    if "default" not in item:
        return annotation, ...
    try:
        return annotation, pydantic.TypeAdapter(annotation).validate_python(item["default"])
    except ValidationError as error:
        raise SignatureError(
            f"the default of member {shown(item['name'])} does not fit: {reason(error)}"
        ) from None


# How each kind is made, and what may stand in its description.
_MAKERS: Mapping[str, tuple[Callable[[_Description], Any], str]] = types.MappingProxyType(
    {
        "optional": (_optional, "of"),
        "literal": (_literal, "values"),
        "list": (_list, "of"),
        "dict": (_dict, "keys of"),
        "bounded": (_bounded, "of limits rules"),
        "enum": (_enum, "name base members"),
        "model": (_model, "name settings fields rules"),
        "dataclass": (_dataclass, "name frozen pydantic settings fields rules"),
    }
)
