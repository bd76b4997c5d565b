"""Reads annotations into shapes."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Callable
from enum import Enum, Flag
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, RootModel

from langprog.errors import SignatureError
from langprog.media import History, Media
from langprog.signature.limits import Labels, add_labels, add_limits, marks_in
from langprog.signature.records import is_named_tuple, is_typed_dict, record_of
from langprog.signature.refused_types import refuse_type
from langprog.signature.shapes import (
    FORMATTED,
    PLAIN,
    REQUIRED,
    Again,
    Anything,
    Attachment,
    Bounded,
    Choice,
    Conversation,
    Fixed,
    Formatted,
    Listing,
    Mapped,
    Maybe,
    Named,
    OneOf,
    Plain,
    Record,
    Shape,
    behind,
    choices_of,
    is_alias,
    parts_of,
    without_limits,
)
from langprog.signature.unions import check_union, one_of

# The types being read around a type, each with the places where it occurs again inside.
Around = dict[Any, list[Again]]
_LISTS = (list, tuple, set, frozenset)


def shape_of(annotation: Any, name: str) -> Shape:
    """Return what a type is made of.

    Args:
        annotation: The Python type.
        name: The field's name, for errors.

    Raises:
        SignatureError: A field cannot have this type.
    """
    shape = read_shape(annotation, name, {})
    if isinstance(shape, Anything):
        raise refuse_type(annotation, name)
    for part in parts_of(shape):
        if isinstance(part, OneOf):
            check_union(part, name)
    return shape


def read_shape(annotation: Any, name: str, around: Around) -> Shape:
    """Return what a type inside other types is made of.

    Args:
        annotation: The Python type.
        name: Where it is, for errors.
        around: The types that contain it.
    """
    if type(annotation) is type and annotation in PLAIN:  # others may take long to hash
        return Plain(annotation)
    if annotation is Any:
        return Anything()
    origin, args = get_origin(annotation) or annotation, get_args(annotation)
    if origin is Annotated:
        return _apply_marks(read_shape(args[0], name, around), args[1:], name)
    if isinstance(annotation, typing.NewType):
        return read_shape(behind(annotation), name, around)
    if is_alias(annotation):
        return _alias(annotation, name, around)
    choices = choices_of(annotation)
    if choices is not None:
        return _choice(annotation, choices, name)
    if origin in (Union, types.UnionType):
        return _union(args, name, around)
    if origin in (*_LISTS, dict):
        return _container(origin, args, name, around)
    if not isinstance(annotation, type):
        raise refuse_type(annotation, name)
    return _class(annotation, name, around)


def _alias(annotation: Any, name: str, around: Around) -> Shape:
    meant = _resolve_alias(annotation, name)
    if isinstance(meant, type):  # it has a name of its own
        return read_shape(meant, name, around)
    return _read_recursive(annotation, name, around, lambda inner: read_shape(meant, name, inner))


def _resolve_alias(annotation: Any, name: str) -> Any:
    try:
        return behind(annotation)
    except (NameError, TypeError) as error:
        raise SignatureError(
            f"field {name!r}: the alias {annotation} cannot be resolved: {error}"
        ) from None


def _class(annotation: type, name: str, around: Around) -> Shape:
    if annotation in FORMATTED:
        return Formatted(annotation)
    if issubclass(annotation, Media) and annotation is not Media:
        return Attachment(annotation)
    if issubclass(annotation, History):
        return Conversation()
    model = issubclass(annotation, BaseModel) and not issubclass(annotation, RootModel)
    plain = is_typed_dict(annotation) or is_named_tuple(annotation)
    if not (model or plain or dataclasses.is_dataclass(annotation)):
        raise refuse_type(annotation, name)
    return _read_recursive(
        annotation,
        name,
        around,
        lambda inner: record_of(
            annotation, name, lambda part, where: read_shape(part, where, inner)
        ),
    )


def _read_recursive(
    annotation: Any, name: str, around: Around, make: Callable[[Around], Shape]
) -> Shape:
    """Return a type with a name of its own, which may occur inside itself."""
    called = str(annotation.__name__ if isinstance(annotation, type) else annotation)
    if annotation in around:
        if sum(_name(outer) == _name(annotation) for outer in around) > 1:
            raise SignatureError(
                f"field {name!r}: two recursive types inside each other are named {called}: "
                "rename one"
            )
        again = Again(_name(annotation), annotation)
        around[annotation].append(again)
        return again
    places: list[Again] = []
    shape = make({**around, annotation: places})
    if not places:
        return shape
    if any(_is_bare(shape, again) for again in places):
        raise SignatureError(
            f"field {name!r}: {called} refers only to itself: a recursive type needs a list, an "
            "object or the like in between"
        )
    if not _is_finite(shape):
        raise SignatureError(
            f"field {name!r}: {called} is infinitely recursive: give the recursive member a "
            "default, or make it Optional"
        )
    for again in places:
        again.target.append(shape)
    return Named(_name(annotation), annotation, shape)


def _name(annotation: Any) -> str:
    return str(getattr(annotation, "__name__", annotation))


def _is_finite(shape: Shape) -> bool:
    """Return whether a type has values of finite depth."""
    match shape:
        case Again():
            return False
        case Bounded() | Named():
            return _is_finite(shape.of)
        case Fixed(of=parts):
            return all(map(_is_finite, parts))
        case OneOf(of=parts):
            return any(map(_is_finite, parts))
        case Record(members=members):
            return all(_is_finite(m.shape) for m in members if m.default is REQUIRED)
    return True


def _is_bare(shape: Shape, again: Again) -> bool:
    """Return whether a type contains itself with no list or object in between."""
    match shape:
        case Again():
            return shape is again
        case Maybe() | Bounded() | Named():
            return _is_bare(shape.of, again)
        case OneOf():
            return any(_is_bare(part, again) for part in shape.of)
    return False


def _apply_marks(shape: Shape, marks: tuple[Any, ...], name: str) -> Shape:
    for labels in marks:
        if isinstance(labels, Labels):
            shape = add_labels(shape, labels, name)
    return add_limits(shape, *marks_in(marks), name)


def _container(origin: Any, args: tuple[Any, ...], name: str, around: Around) -> Shape:
    if origin is dict:
        return _read_dict(args, name, around)
    if origin is tuple and args and args[-1] is not ...:
        return Fixed(tuple(_read_inner(arg, name, around) for arg in args if arg != ()))
    of = _read_inner(args[0], name, around) if args else Anything()
    if origin in (set, frozenset) and not _is_hashable(of):
        raise SignatureError(
            f"field {name!r}: the items of a {origin.__name__} must be hashable, such as text or "
            "numbers: use a list"
        )
    return Listing(of, origin)


def _read_inner(annotation: Any, name: str, around: Around) -> Shape:
    shape = read_shape(annotation, name, around)
    if Conversation() in (shape, shape.of if isinstance(shape, Maybe) else None):
        raise SignatureError(f"field {name!r}: an lp.History stands by itself, not inside a type")
    return shape


def _is_hashable(shape: Shape) -> bool:
    match without_limits(shape):
        case Plain() | Formatted() | Choice() | Attachment():
            return True
        case Maybe(of=of):
            return _is_hashable(of)
        case Fixed(of=parts) | OneOf(of=parts):
            return all(map(_is_hashable, parts))
        case Listing(of=of, type=kind):
            return kind in (tuple, frozenset) and _is_hashable(of)
        case Record(type=cls) | Again(type=cls):
            return getattr(cls, "__hash__", None) is not None
    return False


def _read_dict(args: tuple[Any, ...], name: str, around: Around) -> Shape:
    keys = read_shape(args[0] if args else str, name, around)
    of = _read_inner(args[1] if args else Any, name, around)
    bare = without_limits(keys)
    texts = isinstance(bare, Choice) and all(
        isinstance(getattr(value, "value", value), str) for value in bare.choices.values()
    )
    if not texts and bare not in (Plain(str), Plain(int)) and not isinstance(bare, Formatted):
        raise SignatureError(
            f"field {name!r}: the keys of a dict can be str, int or choices, or dates and the like"
        )
    return Mapped(keys, of)


def _union(args: tuple[Any, ...], name: str, around: Around) -> Shape:
    inside = [arg for arg in args if arg is not type(None)]
    if len(inside) == 1:
        return _maybe(read_shape(inside[0], name, around), name)
    parts = [_read_inner(arg, name, around) for arg in inside]
    optional = len(inside) < len(args) or any(isinstance(part, Maybe) for part in parts)
    shape = one_of([part.of if isinstance(part, Maybe) else part for part in parts])
    return _maybe(shape, name) if optional else shape


def _maybe(shape: Shape, name: str) -> Shape:
    of = without_limits(shape)
    inside = of.of if isinstance(of, OneOf) else (of,)
    for choice in map(without_limits, inside):
        if isinstance(choice, Choice) and choice.choices.get("null") is not None:
            raise SignatureError(
                f"field {name!r}: its choice 'null' reads like no choice: rename it"
            )
    return Maybe(shape)


def _choice(annotation: Any, choices: dict[str, Any], name: str) -> Choice:
    enum: type[Enum] | None = annotation if isinstance(annotation, type) else None
    if enum is not None and issubclass(enum, Flag):
        raise refuse_type(annotation, name)
    values = list(get_args(annotation)) if enum is None else [member.value for member in enum]
    if not values:
        raise SignatureError(f"field {name!r}: {annotation!r} has no values to choose from")
    for value in values:
        if isinstance(value, Enum) or not isinstance(value, (str, int, float, type(None))):
            raise SignatureError(
                f"field {name!r}: the choice {value!r} must be text, a number, true, false or None"
                + (f": write Literal[{value.value!r}]" if isinstance(value, Enum) else "")
            )
    if len(choices) < len(values):
        raise SignatureError(f"field {name!r}: two of its choices read alike: {values}")
    return Choice(types.MappingProxyType(choices), enum)
