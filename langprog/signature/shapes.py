"""Shapes: a field's type, read once from its annotation into a small tree.

Prompts, JSON schemas, portable types and reply parsing all walk this tree, so all of them support
the same types. ``annotations`` builds it.
"""

from __future__ import annotations

import datetime
import sys
import types
import typing
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import typing_extensions
from pydantic_core import PydanticUndefined

PLAIN: Mapping[Any, str] = types.MappingProxyType(
    {str: "text", int: "integer", float: "number", bool: "true or false"}
)
# Types whose values are text of a fixed format in JSON.
FORMATTED: Mapping[Any, str] = types.MappingProxyType(
    {
        datetime.date: "date, as 2024-01-31",
        datetime.datetime: "date and time, as 2024-01-31T13:45:00",
        datetime.time: "time of day, as 13:45:00",
        datetime.timedelta: "duration, as P1DT2H30M",
        Decimal: "decimal number",
        uuid.UUID: "UUID",
    }
)


@dataclass(frozen=True)
class Plain:
    """``str``, ``int``, ``float`` or ``bool``."""

    type: type


@dataclass(frozen=True)
class Formatted:
    """A date, a time, a duration, a Decimal or a UUID: one of :data:`FORMATTED`."""

    type: type


@dataclass(frozen=True)
class Anything:
    """Any JSON value, inside a list or an object."""


@dataclass(frozen=True)
class Choice:
    """One of a few values: a Literal, or an Enum where ``enum`` is set.

    Args:
        choices: Values by their labels in a prompt.
        enum: The Enum.
        told: Descriptions by label.
    """

    choices: Mapping[str, Any]
    enum: type[Enum] | None = None
    told: Mapping[str, str] = field(default_factory=dict)

    @property
    def names(self) -> Mapping[str, str]:
        """The name of each member by its label, if the labels are bare numbers."""
        if self.enum is None or any(isinstance(member.value, str) for member in self.enum):
            return {}
        return {label: member.name for label, member in self.choices.items()}


@dataclass(frozen=True)
class Maybe:
    """A value or null."""

    of: Shape


@dataclass(frozen=True)
class Listing:
    """A list of any length, or a tuple, a set or a frozenset."""

    of: Shape
    type: type = list


@dataclass(frozen=True)
class Fixed:
    """A tuple with a type for each item."""

    of: tuple[Shape, ...]


@dataclass(frozen=True)
class Mapped:
    """A dict."""

    keys: Shape
    of: Shape


@dataclass(frozen=True)
class Bounded:
    """A value with limits, or with rules: the words of a validator's docstring."""

    of: Shape
    limits: Mapping[str, Any]
    rules: tuple[str, ...] = ()


class _Absent:
    """The default of a TypedDict key that may be missing."""

    def __repr__(self) -> str:
        return "ABSENT"


REQUIRED: Any = PydanticUndefined
ABSENT: Any = _Absent()


@dataclass(frozen=True)
class Member:
    """One field of a record.

    Args:
        name: Its key, as a language model sees it.
        shape: Its type.
        description: What it means.
        default: :data:`REQUIRED` if there is none; :data:`ABSENT` if a TypedDict may omit the key.
        attribute: Its name in Python, if different.
        worded: The first wording version that shows its description.
    """

    name: str
    shape: Shape
    description: str = ""
    default: Any = PydanticUndefined
    attribute: str = ""
    worded: int = 1


@dataclass(frozen=True)
class Record:
    """A pydantic model, a dataclass, a TypedDict or a NamedTuple."""

    type: type
    members: tuple[Member, ...]
    rules: tuple[str, ...] = field(default=())


@dataclass(frozen=True)
class OneOf:
    """A value of one of several types.

    Args:
        of: The types.
        tags: What distinguishes its records, once computed (``unions.tags_of``).
    """

    of: tuple[Shape, ...]
    tags: list[Any] = field(default_factory=list, compare=False, repr=False)


@dataclass(frozen=True)
class Named:
    """A recursive type, which refers to itself by name."""

    name: str
    type: Any
    of: Shape


@dataclass(frozen=True)
class Again:
    """A reference to a recursive type, inside that type.

    Args:
        name: Its name.
        type: The type.
        target: A list of one item, the type's shape, once that is known.
    """

    name: str
    type: Any
    target: list[Shape] = field(default_factory=list, compare=False, repr=False)


@dataclass(frozen=True)
class Attachment:
    """An image, a sound or a file: a part of a prompt."""

    type: type


@dataclass(frozen=True)
class Conversation:
    """Earlier turns: messages of a prompt."""


Shape = (
    Plain
    | Formatted
    | Anything
    | Choice
    | Maybe
    | Listing
    | Fixed
    | Mapped
    | Bounded
    | Record
    | OneOf
    | Named
    | Again
    | Attachment
    | Conversation
)


def without_limits(shape: Shape) -> Shape:
    """Return the shape without limits; for a recursive type, its contents."""
    while True:
        if isinstance(shape, (Bounded, Named)):
            shape = shape.of
        elif isinstance(shape, Again) and shape.target:
            shape = shape.target[0]
        else:
            return shape


def parts_of(shape: Shape) -> Iterator[Shape]:
    """Yield a shape and every shape inside it; recursive ones only once."""
    yield shape
    match shape:
        case Maybe() | Listing() | Bounded() | Named():
            yield from parts_of(shape.of)
        case Mapped():
            yield from parts_of(shape.keys)
            yield from parts_of(shape.of)
        case Fixed() | OneOf():
            for part in shape.of:
                yield from parts_of(part)
        case Record():
            for member in shape.members:
                yield from parts_of(member.shape)


def choices_of(annotation: Any) -> dict[str, Any] | None:
    """Return the values of a Literal or an Enum by label, else ``None``."""
    annotation = strip_aliases(annotation)
    if get_origin(annotation) is Literal:
        return {label_of(value): value for value in get_args(annotation)}
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return {label_of(member.value): member for member in annotation}
    return None


def optional_of(annotation: Any) -> Any | None:
    """Return T for Optional[T], else ``None``."""
    annotation = strip_aliases(annotation)
    if get_origin(annotation) in (Union, types.UnionType):
        inside = [arg for arg in get_args(annotation) if arg is not type(None)]
        if len(inside) == 1 and len(get_args(annotation)) == 2:
            return inside[0]
    return None


def strip_aliases(annotation: Any) -> Any:
    """Return the type behind aliases, NewTypes and ``Annotated``."""
    while True:
        if get_origin(annotation) is Annotated:
            annotation = get_args(annotation)[0]
        elif is_alias(annotation) or isinstance(annotation, typing.NewType):
            annotation = behind(annotation)
        else:
            return annotation


# ``type X = ...`` (Python 3.12) and its backport, which may be a different class.
_ALIASES: tuple[Any, ...] = tuple(
    {typing_extensions.TypeAliasType, getattr(typing, "TypeAliasType", None)} - {None}
)


def is_alias(annotation: Any) -> bool:
    """Return whether a type is an alias with a name of its own, perhaps with parameters."""
    if isinstance(annotation, type):
        return False
    own = "__value__" in dir(type(annotation))  # from an artifact
    return own or isinstance(annotation, _ALIASES) or isinstance(get_origin(annotation), _ALIASES)


def behind(annotation: Any) -> Any:
    """Return the type behind an alias or a NewType, with its parameters substituted."""
    if isinstance(annotation, typing.NewType):
        return annotation.__supertype__
    origin = get_origin(annotation)
    if isinstance(origin, _ALIASES):
        value = _value(origin)
        return value[get_args(annotation)] if getattr(value, "__parameters__", ()) else value
    return _value(annotation)


def _value(alias: Any) -> Any:
    if not isinstance(alias, _ALIASES):
        return alias.__value__
    # It may be a string, as recursive aliases have to be before Python 3.12.
    module = sys.modules.get(str(alias.__module__))
    asked = type("Asked", (), {"__annotations__": {"value": alias.__value__}})
    names = {**(vars(module) if module else {}), alias.__name__: alias}
    return typing_extensions.get_type_hints(asked, names, include_extras=True)["value"]


def label_of(value: Any) -> str:
    """Return the label of a choice in prompts and JSON: true, not True."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(value.value) if isinstance(value, Enum) else str(value)
