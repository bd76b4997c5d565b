"""Records from plain JSON: rebuilds models, dataclasses, TypedDicts and NamedTuples."""

from __future__ import annotations

import copy
import dataclasses
import threading
import typing
import warnings
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated, Any, cast

import pydantic
import typing_extensions
from pydantic import BaseModel, Field, create_model
from pydantic import model_validator as on_model

from langprog.errors import InputError, SignatureError
from langprog.signature.description import Description, Reading
from langprog.signature.fields import FieldSpec
from langprog.signature.json_parts import (
    flag_of,
    label,
    member_name,
    rules_of,
    settings_of,
    shown,
    type_name,
)

# Makes the type described by a part of the JSON.
TypeOf = Callable[[Any], Any]
_METHODS = frozenset({*dir(BaseModel), *dir(type(BaseModel))})
_FILTERS = threading.Lock()


def make_stand_in(words: str) -> Callable[[Any], Any]:
    """Return a stand-in for a validator: the same words for the model, but no code."""

    def rule(value: Any) -> Any:
        return value

    rule.__doc__ = words
    return rule


def finish_records(reading: Reading) -> None:
    """Build the validators of records that refer to a type that was incomplete until now."""
    for cls in reading.unfinished:
        if issubclass(cls, BaseModel):
            cls.model_rebuild(force=True, raise_errors=False)
        elif pydantic.dataclasses.is_pydantic_dataclass(cls):
            pydantic.dataclasses.rebuild_dataclass(cls, force=True, raise_errors=False)


def model(described: Description, type_of: TypeOf) -> Any:
    """Make a pydantic model."""
    data = described.data
    members: dict[str, Any] = {}
    for item in data["fields"]:
        name = member_name(item.get("attribute", item["name"]))
        alias = label(item["name"]) if "attribute" in item else ""
        members[name] = _member(described, type_of, item, alias)
    if len(members) != len(data["fields"]):
        raise SignatureError("a model has two fields of the same name")
    taken = next((name for name in members if name[0] == "_" or name == "model_config"), None)
    if taken is not None:
        raise SignatureError(f"a model has no field {shown(taken)}: pydantic reserves the name")
    # Allow fields named model_...: the original model had them.
    config = {**settings_of(data), "protected_namespaces": ()}
    with _silence_warnings(members):
        made = create_model(
            type_name(data["name"]),
            __config__=cast(pydantic.ConfigDict, config),
            __validators__=_checks(data),
            **members,
        )
    _remember(described, made)
    return made


def _remember(described: Description, made: type) -> None:
    if described.reading.open_names(described.data):
        described.reading.unfinished.append(made)


@contextmanager
def _silence_warnings(names: Collection[str]) -> Iterator[None]:
    # The model's author has seen the warning that a field hides a method. Filters belong to the
    # whole process, so change them only for such models, and in one thread at a time.
    if _METHODS.isdisjoint(names):
        yield
        return
    with _FILTERS, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def dataclass(described: Description, type_of: TypeOf) -> Any:
    """Make a dataclass."""
    data = described.data
    members: list[Any] = []
    for item in data["fields"]:
        annotation, default = _member(described, type_of, item)
        given = (
            () if default is ... else (dataclasses.field(default_factory=_copy_on_call(default)),)
        )
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
    whole = pydantic.dataclasses.dataclass(made, config=cast(pydantic.ConfigDict, settings))
    _remember(described, whole)
    return whole


def typed_dict(described: Description, type_of: TypeOf) -> Any:
    """Make a TypedDict."""
    members = {}
    for item in described.data["fields"]:
        annotation, default = _member(described, type_of, item)
        if default is not ...:
            raise SignatureError("a member of a TypedDict has no default")
        optional = flag_of(item, "optional")
        kind = typing_extensions.NotRequired if optional else typing_extensions.Required
        members[label(item["name"])] = kind[annotation]
    if len(members) != len(described.data["fields"]):
        raise SignatureError("a TypedDict has two keys of the same name")
    return typing_extensions.TypedDict(type_name(described.data["name"]), members)  # type: ignore[operator]  # built from values


def named_tuple(described: Description, type_of: TypeOf) -> Any:
    """Make a NamedTuple."""
    data = described.data
    members, defaults = [], {}
    for item in data["fields"]:
        annotation, default = _member(described, type_of, item)
        members.append((member_name(item["name"]), annotation))
        if default is not ...:
            defaults[members[-1][0]] = default
        elif defaults:
            raise SignatureError("a member without a default follows one that has one")
    made: Any = typing.NamedTuple(type_name(data["name"]), members)  # type: ignore[misc]  # built from values
    made.__new__.__defaults__ = tuple(defaults.values())
    made._field_defaults = defaults
    return made


def _copy_on_call(default: Any) -> Callable[[], Any]:
    return lambda: copy.deepcopy(default)


def _checks(data: Mapping[str, Any]) -> dict[str, Any]:
    return {
        f"rule_{index}": on_model(mode="after")(make_stand_in(words))
        for index, words in enumerate(rules_of(data))
    }


def _member(
    described: Description, type_of: TypeOf, item: Mapping[str, Any], alias: str = ""
) -> tuple[Any, Any]:
    annotation = type_of(item["type"])
    told = item.get("description", item.get("told", ""))
    if not isinstance(told, str):
        raise SignatureError(f"the description of member {shown(item['name'])} must be text")
    given = {"description": told} if told else {}
    marked = {**given, "alias": alias} if alias else given
    whole = Annotated[annotation, Field(**marked)] if marked else annotation  # type: ignore[call-overload]  # built from values
    if "default" not in item:
        return whole, ...
    if described.reading.open_names(item["type"]):
        return whole, _bare_default(item)
    try:
        return whole, FieldSpec("default", "input", annotation).validate(item["default"])
    except InputError as error:
        raise SignatureError(
            f"the default of member {shown(item['name'])} does not fit: {error}"
        ) from None


def _bare_default(item: Mapping[str, Any]) -> Any:
    # The type is not built yet, so other values cannot be checked.
    default = item["default"]
    if default in (None, [], {}):
        return copy.deepcopy(default)
    raise SignatureError(
        f"the default of member {shown(item['name'])} is of a recursive type: it can only be empty"
    )
