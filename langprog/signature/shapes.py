"""What a field's type is made of: the annotation, read once into a small tree.

Words for prompts, JSON schemas, portable types and the reading of replies all walk this tree, so
a kind of type is known to all of them or to none.
"""

from __future__ import annotations

import dataclasses
import re
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum, Flag
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, RootModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined, SchemaError, SchemaValidator, core_schema

from langprog.errors import SignatureError

PLAIN: Mapping[Any, str] = types.MappingProxyType(
    {str: "text", int: "integer", float: "number", bool: "true or false"}
)
NUMERIC = ("ge", "gt", "le", "lt", "multiple_of")
LENGTHS = ("min_length", "max_length")
# What changes a text before it is checked; it has no words in a prompt.
CLEANING = ("strip_whitespace", "to_lower", "to_upper")
LIMITS = (*NUMERIC, *LENGTHS, "pattern", *CLEANING)


@dataclass(frozen=True)
class Plain:
    """``str``, ``int``, ``float`` or ``bool``."""

    type: type


@dataclass(frozen=True)
class Anything:
    """Any JSON value, inside a list or an object."""


@dataclass(frozen=True)
class Choice:
    """One of a few values: a Literal, or an Enum where ``enum`` is set."""

    choices: Mapping[str, Any]
    enum: type[Enum] | None = None


@dataclass(frozen=True)
class Maybe:
    """A value or null."""

    of: Shape


@dataclass(frozen=True)
class Listing:
    """A list."""

    of: Shape


@dataclass(frozen=True)
class Mapped:
    """A dict."""

    keys: Shape
    of: Shape


@dataclass(frozen=True)
class Bounded:
    """A value within limits, or under rules: the words of a validator's docstring."""

    of: Shape
    limits: Mapping[str, Any]
    rules: tuple[str, ...] = ()


@dataclass(frozen=True)
class Member:
    """One field of a record; ``default`` is :data:`REQUIRED` where it must be given."""

    name: str
    shape: Shape
    description: str = ""
    default: Any = PydanticUndefined


@dataclass(frozen=True)
class Record:
    """A pydantic model or a dataclass."""

    type: type
    members: tuple[Member, ...]
    rules: tuple[str, ...] = field(default=())


Shape = Plain | Anything | Choice | Maybe | Listing | Mapped | Bounded | Record

REQUIRED: Any = PydanticUndefined


def shape_of(annotation: Any, name: str) -> Shape:
    """Return what a type is made of.

    Args:
        annotation: The Python type.
        name: The field's name, for errors.

    Raises:
        SignatureError: The type is none that a field can have.
    """
    shape = _shape(annotation, name, ())
    if isinstance(shape, Anything):
        raise _unknown(annotation, name)
    return shape


def choices_of(annotation: Any) -> dict[str, Any] | None:
    """Return text -> value for a Literal or an Enum, else ``None``."""
    if get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    if get_origin(annotation) is Literal:
        return {_label(value): value for value in get_args(annotation)}
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return {_label(member.value): member for member in annotation}
    return None


def optional_of(annotation: Any) -> Any | None:
    """Return T for Optional[T], else ``None``."""
    if get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    if get_origin(annotation) in (Union, types.UnionType):
        inside = [arg for arg in get_args(annotation) if arg is not type(None)]
        if len(inside) == 1 and len(get_args(annotation)) == 2:
            return inside[0]
    return None


def without_limits(shape: Shape) -> Shape:
    """Return the shape under its limits."""
    return shape.of if isinstance(shape, Bounded) else shape


def _label(value: Any) -> str:
    # As the value stands in a prompt and in JSON: true, not True.
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(value.value) if isinstance(value, Enum) else str(value)


def _unknown(annotation: Any, name: str) -> SignatureError:
    shown = annotation.__name__ if isinstance(annotation, type) else annotation
    return SignatureError(
        f"field {name!r} has the type {shown}; a field can be str, int, float, bool, Literal, "
        "Enum, Optional, list, dict, a dataclass or a pydantic model"
    )


def _shape(annotation: Any, name: str, around: tuple[type, ...]) -> Shape:
    if type(annotation) is type and annotation in PLAIN:  # others may take long to hash
        return Plain(annotation)
    if annotation is Any:
        return Anything()
    origin, args = get_origin(annotation) or annotation, get_args(annotation)
    if origin is Annotated:
        return bounded(_shape(args[0], name, around), *_marks(args[1:]), name)
    inner = optional_of(annotation)
    if inner is not None:
        return _maybe(_shape(inner, name, around), name)
    choices = choices_of(annotation)
    if choices is not None:
        return _choice(annotation, choices, name)
    if origin in (list, dict):
        return _container(origin, args, name, around)
    if not isinstance(annotation, type):
        raise _unknown(annotation, name)
    if annotation in around:
        raise SignatureError(
            f"field {name!r}: {annotation.__name__} contains itself; a field's type must end "
            "somewhere, so that it can be shown to a model"
        )
    model = issubclass(annotation, BaseModel) and not issubclass(annotation, RootModel)
    if model or dataclasses.is_dataclass(annotation):
        return _record(annotation, name, (*around, annotation))
    raise _unknown(annotation, name)


def _container(origin: Any, args: tuple[Any, ...], name: str, around: tuple[type, ...]) -> Shape:
    if origin is list:
        return Listing(_shape(args[0], name, around) if args else Anything())
    keys, of = (_shape(arg, name, around) for arg in (args or (str, Any)))
    texts = isinstance(keys, Choice) and all(isinstance(key, str) for key in _plain_choices(keys))
    if not texts and keys not in (Plain(str), Plain(int)):
        raise SignatureError(f"field {name!r}: the keys of a dict can be str, int or choices")
    return Mapped(keys, of)


def _plain_choices(choice: Choice) -> list[Any]:
    return [getattr(value, "value", value) for value in choice.choices.values()]


def _maybe(shape: Shape, name: str) -> Shape:
    of = without_limits(shape)
    if isinstance(of, Choice) and of.choices.get("null") is not None:
        raise SignatureError(f"field {name!r}: its choice 'null' reads like no choice: rename it")
    return Maybe(shape)


def _choice(annotation: Any, choices: dict[str, Any], name: str) -> Choice:
    enum: type[Enum] | None = annotation if isinstance(annotation, type) else None
    if enum is not None and issubclass(enum, Flag):
        raise _unknown(annotation, name)
    values = list(get_args(annotation)) if enum is None else [one.value for one in enum]
    if not values:
        raise SignatureError(f"field {name!r}: {annotation!r} has no values to choose from")
    for value in values:
        if isinstance(value, Enum) or not isinstance(value, (str, int, float, type(None))):
            raise SignatureError(
                f"field {name!r}: the choice {value!r} must be text, a number, true, false or None"
            )
    if len(choices) < len(values):
        raise SignatureError(f"field {name!r}: two of its choices read alike: {values}")
    return Choice(types.MappingProxyType(choices), enum)


def bounded(shape: Shape, limits: Mapping[str, Any], rules: tuple[str, ...], name: str) -> Shape:
    """Return ``shape`` within ``limits``.

    Raises:
        SignatureError: A limit does not go with the type, or is of the wrong type itself.
    """
    if not limits and not rules:
        return shape
    inside = without_limits(shape)
    target = without_limits(inside.of) if isinstance(inside, Maybe) else inside
    for key, value in limits.items():
        _check_limit(key, value, target, name)
    if isinstance(shape, Bounded):
        return Bounded(inside, {**shape.limits, **limits}, (*shape.rules, *rules))
    return Bounded(shape, dict(limits), rules)


def _check_limit(key: str, value: Any, target: Shape, name: str) -> None:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if key in NUMERIC:
        fits, right = target in (Plain(int), Plain(float)), number
    elif key in LENGTHS:
        fits = isinstance(target, (Listing, Mapped)) or target == Plain(str)
        right = isinstance(value, int) and number and value >= 0
    else:
        fits, right = target == Plain(str), isinstance(value, str if key == "pattern" else bool)
    if not fits:
        raise SignatureError(f"field {name!r}: the constraint {key!r} does not go with its type")
    if not right:
        raise SignatureError(f"field {name!r}: the constraint {key!r} cannot be {value!r}")
    if key == "pattern":
        _check_pattern(value, name)


def _check_pattern(pattern: str, name: str) -> None:
    # As pydantic reads it: without look-around, so that a check takes time that grows with the
    # text alone.
    try:
        SchemaValidator(core_schema.str_schema(pattern=pattern))
    except SchemaError as error:
        told = str(error).splitlines()[-1].strip()
        raise SignatureError(
            f"field {name!r}: the constraint 'pattern' cannot be {pattern!r}: {told}"
        ) from None


def _marks(metadata: typing.Iterable[Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    # A limit is an attribute of its name on annotated_types' and pydantic's marks; a validator
    # is their func.
    limits: dict[str, Any] = {}
    rules: list[str] = []
    for item in metadata:
        if isinstance(item, FieldInfo):
            inner, words = _marks(item.metadata)
            limits.update(inner)
            rules.extend(words)
            continue
        for key in LIMITS:
            value = getattr(item, key, None)
            if value is not None and value is not False and not callable(value):
                limits[key] = value.pattern if isinstance(value, re.Pattern) else value
        func = getattr(item, "func", None)
        if callable(func):
            rules.extend(_words(func))
    return limits, tuple(rules)


def _words(func: Callable[..., Any]) -> list[str]:
    told = (getattr(func, "__doc__", None) or "").strip()
    return [" ".join(told.split("\n\n")[0].split()).rstrip(".")] if told else []


# --- records -------------------------------------------------------------------------------------


def _record(cls: type, name: str, around: tuple[type, ...]) -> Record:
    if issubclass(cls, BaseModel):
        infos: Any = cls.model_fields
    else:
        infos = getattr(cls, "__pydantic_fields__", None)
    try:
        if infos is None:
            members = _dataclass_members(cls, name, around)
        else:
            members = _model_members(cls, infos, name, around)
    except (NameError, TypeError) as error:
        raise SignatureError(
            f"field {name!r}: a type of {cls.__name__} cannot be resolved: {error}"
        ) from None
    return Record(cls, members, _record_rules(cls))


def _model_members(
    cls: type, infos: Mapping[str, FieldInfo], name: str, around: tuple[type, ...]
) -> tuple[Member, ...]:
    told = _field_rules(cls)
    members = []
    for key, info in infos.items():
        where = f"{name}.{key}"
        if info.alias or info.validation_alias or info.serialization_alias:
            raise SignatureError(f"field {where!r} has an alias: name it as a model shall see it")
        limits, rules = _marks(info.metadata)
        shape = _shape(info.annotation, where, around)
        shape = bounded(shape, limits, (*rules, *told.get(key, ()), *told.get("*", ())), where)
        factory: Any = info.default_factory
        default = _default(factory, info.default, where)
        members.append(Member(key, shape, info.description or "", default))
    return tuple(members)


def _dataclass_members(cls: type, name: str, around: tuple[type, ...]) -> tuple[Member, ...]:
    hints = typing.get_type_hints(cls, include_extras=True)
    members = []
    for item in dataclasses.fields(cls):
        where = f"{name}.{item.name}"
        if not item.init:
            raise SignatureError(f"field {where!r} cannot be given (init=False)")
        factory = None if item.default_factory is dataclasses.MISSING else item.default_factory
        plain = REQUIRED if item.default is dataclasses.MISSING else item.default
        if isinstance(plain, FieldInfo):
            raise SignatureError(f"field {where!r}: use a pydantic dataclass for Field(...)")
        shape = _shape(hints[item.name], where, around)
        members.append(Member(item.name, shape, "", _default(factory, plain, where)))
    return tuple(members)


def _default(factory: Any, plain: Any, where: str) -> Any:
    if factory is None:
        return plain
    default = factory()
    if default != factory():
        raise SignatureError(f"field {where!r}: its default_factory gives another value each time")
    return default


def _field_rules(cls: type) -> dict[str, tuple[str, ...]]:
    told: dict[str, tuple[str, ...]] = {}
    for decorator in _decorators(cls, "field_validators"):
        for key in decorator.info.fields:
            told[key] = (*told.get(key, ()), *_words(decorator.func))
    return told


def _record_rules(cls: type) -> tuple[str, ...]:
    return tuple(word for one in _decorators(cls, "model_validators") for word in _words(one.func))


def _decorators(cls: type, kind: str) -> list[Any]:
    found = getattr(cls, "__pydantic_decorators__", None)
    return [] if found is None else list(getattr(found, kind).values())
