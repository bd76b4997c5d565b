"""Types from plain JSON: rebuilds the Enums, dataclasses and models that ``portable`` wrote.

The JSON is not trusted: any input gives a type or a SignatureError, in time and memory linear in
its size.
"""

from __future__ import annotations

import dataclasses
import json
import types
from collections.abc import Callable, Mapping
from enum import Enum
from functools import lru_cache
from typing import Annotated, Any, Literal, Optional, Union, cast

from pydantic import AfterValidator, Field, StringConstraints
from pydantic.errors import PydanticUserError
from pydantic_core import SchemaError

from langprog.errors import InputError, SignatureError
from langprog.media import Audio, File, History, Image
from langprog.signature.description import Description, Reading
from langprog.signature.fields import FieldSpec
from langprog.signature.json_parts import (
    default_factory_of,
    label,
    limits_of,
    rules_of,
    scalar,
    shown,
    type_name,
    wording_of,
)
from langprog.signature.limits import CLEANING, LIMITS
from langprog.signature.marks import describe
from langprog.signature.portable import ENUM_BASES, type_to_json
from langprog.signature.rebuilt_records import (
    TypeOf,
    dataclass,
    finish_records,
    make_stand_in,
    model,
    named_tuple,
    typed_dict,
)
from langprog.signature.shapes import FORMATTED

_BY_NAME: Mapping[str, Any] = types.MappingProxyType(
    {
        "str": str,
        "int": int,
        "float": float,
        "bool": bool,
        "any": Any,
        "image": Image,
        "audio": Audio,
        "file": File,
        "history": History,
        **{kind.__name__: kind for kind in FORMATTED},
    }
)
# What typing, enum, dataclasses and pydantic raise on invalid types.
_FAILURES = (
    ArithmeticError,
    AttributeError,
    LookupError,
    NameError,
    PydanticUserError,
    RuntimeError,
    SchemaError,
    TypeError,
    ValueError,
)


def field_from_json(data: Mapping[str, Any]) -> FieldSpec:
    """Rebuild a field from :func:`langprog.signature.portable.field_to_json`.

    Raises:
        SignatureError: The JSON does not describe a field.
    """
    constraints = data.get("constraints", {})
    if not isinstance(constraints, Mapping):
        raise SignatureError(f"the constraints of field {shown(data['name'])} are not an object")
    field = FieldSpec(
        name=data["name"],
        role=data["role"],
        annotation=type_from_json(data["type"]),
        description=data.get("description", ""),
        constraints=limits_of(dict(constraints), data["type"]),
        default_factory=default_factory_of(data),
        wording=wording_of(data),
    )
    if "default" in data:
        try:
            field = dataclasses.replace(field, default=field.validate(data["default"]))
        except InputError as error:
            raise SignatureError(f"the default of {error}") from None
    if field.exact is None:
        _ = field.adapter  # fail now, not at the first call
        _check_same(field, data["type"])
    return field


def _check_same(field: FieldSpec, data: Any) -> None:
    # Python accepts much that is wrong: an IntEnum takes 0.5 for 0.
    again = type_to_json(field.annotation, field.name)
    if json.dumps(again, sort_keys=True) != json.dumps(data, sort_keys=True):
        raise SignatureError(
            f"the type of field {field.name!r} is described in a way that this version would not: "
            "it would be another type"
        )


def type_from_json(data: Any) -> Any:
    """Rebuild a type from ``type_to_json``, with new enums, dataclasses and models.

    Raises:
        SignatureError: The JSON does not describe a type.
    """
    try:
        return _type(data, Reading(_make_type))
    except RecursionError:
        raise SignatureError("a type is nested too deeply") from None


def _type(data: Any, reading: Reading) -> Any:
    if isinstance(data, str):
        if data in _BY_NAME:
            return _BY_NAME[data]
        raise SignatureError(f"{shown(data)} is not the name of a type")
    if not isinstance(data, dict):
        raise SignatureError(f"{shown(data)} does not describe a type")
    return reading.type(data)


@lru_cache(maxsize=1024)
def _make_type(described: Description) -> Any:
    # Equal descriptions give the same class, so one step's output fits the next step's input.
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


def _part(described: Description, name: str) -> Any:
    return _type(described.data[name], described.reading)


def _parts(described: Description) -> tuple[Any, ...]:
    data = described.data["of"]
    if not isinstance(data, list) or not data:
        raise SignatureError("the parts of a type are a list, and not an empty one")
    return tuple(_type(part, described.reading) for part in data)


def _make_optional(described: Description) -> Any:
    return Optional[_part(described, "of")]  # noqa: UP045 - built from values


def _make_literal(described: Description) -> Any:
    values = tuple(scalar(value) for value in described.data["values"])
    if not values:
        raise SignatureError("a literal has no values to choose from")
    return Literal[values]


def _make_list(described: Description) -> Any:
    return list[_part(described, "of")]  # type: ignore[misc]  # built from values


def _make_tuple(described: Description) -> Any:
    return tuple[_parts(described)]  # type: ignore[misc]  # built from values


def _make_tuple_of(described: Description) -> Any:
    return tuple[_part(described, "of"), ...]  # type: ignore[misc]  # built from values


def _make_set(described: Description) -> Any:
    return set[_part(described, "of")]  # type: ignore[misc]  # built from values


def _make_frozenset(described: Description) -> Any:
    return frozenset[_part(described, "of")]  # type: ignore[misc]  # built from values


def _make_union(described: Description) -> Any:
    return Union[_parts(described)]  # noqa: UP007 - built from values


def _make_described(described: Description) -> Any:
    labels = described.data["labels"]
    if not isinstance(labels, dict):
        raise SignatureError("the descriptions of labels are an object")
    return Annotated[_part(described, "of"), describe(labels)]


def _make_recursive(described: Description) -> Any:
    reading = described.reading
    name = type_name(described.data["name"])
    made = reading.make_recursive(name, lambda: _part(described, "of"))
    finish_records(reading)
    return made


def _make_again(described: Description) -> Any:
    return described.reading.itself(type_name(described.data["name"]))


def _make_dict(described: Description) -> Any:
    keys, of = _part(described, "keys"), _part(described, "of")
    return dict[keys, of]  # type: ignore[valid-type]  # built from values


def _make_bounded(described: Description) -> Any:
    data = described.data
    limits = dict(data["limits"])
    if not limits.keys() <= set(LIMITS):
        raise SignatureError(
            f"{shown(min(limits.keys() - set(LIMITS)))} is not a known constraint"
        )
    of = _part(described, "of")
    limits = limits_of(limits, data["of"])
    cleaning = {key: limits.pop(key) for key in CLEANING if key in limits}
    marks: list[Any] = [AfterValidator(make_stand_in(words)) for words in rules_of(data)]
    if limits:
        marks.insert(0, Field(**limits))
    if cleaning:
        marks.insert(0, StringConstraints(**cleaning))
    for mark in marks:
        of = Annotated[of, mark]
    return of


def _make_enum(described: Description) -> Any:
    data = described.data
    bases = ENUM_BASES.get(data["base"])
    if bases is None:
        raise SignatureError(
            f"{shown(data['base'])} is not a base of an Enum that this version knows"
        )
    members = [(label(name), scalar(value)) for name, value in data["members"]]
    if not members:
        raise SignatureError("an Enum has no members to choose from")
    if any(name.startswith("_") and name.endswith("_") for name, _ in members):
        raise SignatureError("a member of an Enum has a name that Python reserves")
    if len(bases) == 1:
        return cast(Any, bases[0])(type_name(data["name"]), members)
    return Enum(type_name(data["name"]), members, type=bases[0])


def _make_record(make: Callable[[Description, TypeOf], Any]) -> Callable[[Description], Any]:
    return lambda described: make(described, lambda data: _type(data, described.reading))


# How to make each kind, and the keys that its description may have.
_MAKERS: Mapping[str, tuple[Callable[[Description], Any], str]] = types.MappingProxyType(
    {
        "optional": (_make_optional, "of"),
        "literal": (_make_literal, "values"),
        "list": (_make_list, "of"),
        "dict": (_make_dict, "keys of"),
        "bounded": (_make_bounded, "of limits rules"),
        "enum": (_make_enum, "name base members"),
        "described": (_make_described, "of labels"),
        "tuple": (_make_tuple, "of"),
        "tuple_of": (_make_tuple_of, "of"),
        "set": (_make_set, "of"),
        "frozenset": (_make_frozenset, "of"),
        "union": (_make_union, "of"),
        "recursive": (_make_recursive, "name of"),
        "again": (_make_again, "name"),
        "model": (_make_record(model), "name settings fields rules"),
        "dataclass": (_make_record(dataclass), "name frozen pydantic settings fields rules"),
        "typed_dict": (_make_record(typed_dict), "name fields"),
        "named_tuple": (_make_record(named_tuple), "name fields"),
    }
)
