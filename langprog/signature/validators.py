"""pydantic validators of types, including types that pydantic does not take as they are."""

from __future__ import annotations

import types
import typing
from collections.abc import Callable
from functools import lru_cache
from typing import Annotated, Any, Union, get_args, get_origin

import typing_extensions
from pydantic import BeforeValidator, TypeAdapter

from langprog.signature.records import is_named_tuple, is_typed_dict


@lru_cache(maxsize=1024)
def validator_of(cls: type) -> TypeAdapter[Any]:
    """Return the validator of a class: a model, a dataclass, a TypedDict or a NamedTuple."""
    return TypeAdapter(make_checkable(cls))


Known = dict[Any, Any]
_NEWER = type(typing_extensions.TypedDict("_", {}))  # type: ignore[operator]  # its class has no name


def make_checkable(annotation: Any) -> Any:
    """Return a type in a form that pydantic accepts.

    pydantic rejects the TypedDict of older Python versions, and confuses NamedTuples of the same
    length in a Union.
    """
    return _checkable(annotation, {})


def _checkable(annotation: Any, known: Known) -> Any:
    origin, args = get_origin(annotation), get_args(annotation)
    if is_typed_dict(annotation):
        return _typed_dict(annotation, known)
    if not args or origin is typing.Literal:
        return annotation
    if origin is Annotated:
        return Annotated[(_checkable(args[0], known), *annotation.__metadata__)]
    if origin in (Union, types.UnionType):
        return Union[tuple(_alone(_checkable(arg, known)) for arg in args)]  # noqa: UP007 - built from values
    if origin in (list, dict, tuple, set, frozenset):
        return origin[tuple(_checkable(arg, known) for arg in args)]
    return annotation


def _alone(annotation: Any) -> Any:
    if not is_named_tuple(annotation):
        return annotation
    return Annotated[annotation, BeforeValidator(_only(annotation))]


def _only(cls: type) -> Callable[[Any], Any]:
    def check(value: Any) -> Any:
        if isinstance(value, tuple) and not isinstance(value, cls):
            raise ValueError(f"it is not a {cls.__name__}")
        return value

    return check


def _typed_dict(cls: Any, known: Known) -> Any:
    if isinstance(cls, _NEWER):
        return cls
    if cls in known:
        return known[cls]
    qualifiers: tuple[Any, ...] = (typing_extensions.Required, typing_extensions.NotRequired)
    hints, keys = {}, {}
    for key, hint in typing_extensions.get_type_hints(
        cls, localns={cls.__name__: cls}, include_extras=True
    ).items():
        needed = key in cls.__required_keys__
        while get_origin(hint) in qualifiers:
            needed = get_origin(hint) is qualifiers[0]
            hint = get_args(hint)[0]
        hints[key] = hint
        keys[key] = qualifiers[0 if needed else 1][Any]
    make: Any = typing_extensions.TypedDict
    made = make(cls.__name__, keys)
    made.__module__ = cls.__module__
    known[cls] = made
    # Set afterwards, as it may be recursive.
    made.__annotations__ = {key: _checkable(hint, known) for key, hint in hints.items()}
    return made
