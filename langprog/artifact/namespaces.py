"""Finding types that a class's code uses: in its module, its closures, its signatures."""

from __future__ import annotations

import dataclasses
import sys
import typing
from collections.abc import Iterable, Iterator
from enum import Enum
from types import CellType, FunctionType, ModuleType
from typing import Annotated, Any, Literal

from pydantic import BaseModel

from langprog.modules import Module
from langprog.signature import (
    Signature,
    SignatureSpec,
    behind,
    is_alias,
    is_named_tuple,
    is_typed_dict,
)


def is_own_type(thing: object) -> bool:
    """Return whether ``thing`` is a class of the user's that stands for a type.

    That is an Enum, a dataclass, a pydantic model, a TypedDict or a NamedTuple.
    """
    # Checks its type: isinstance would trigger lazy proxy objects in a namespace.
    if not issubclass(type(thing), type):
        return False
    cls = typing.cast(type, thing)
    if issubclass(cls, (Module, Signature)) or cls in (Enum, BaseModel):
        return False
    if is_typed_dict(cls) or is_named_tuple(cls):
        return True
    return issubclass(cls, (Enum, BaseModel)) or dataclasses.is_dataclass(cls)


def own_types(annotation: Any) -> list[type]:
    """Return the Enums, dataclasses and models in an annotation, not those nested in them."""
    return list(_own_types(annotation, ()))


def _own_types(annotation: Any, around: tuple[Any, ...]) -> Iterator[type]:
    if is_alias(annotation) or isinstance(annotation, typing.NewType):
        if not any(annotation is outer for outer in around):
            yield from _own_types(behind(annotation), (*around, annotation))
        return
    origin, args = typing.get_origin(annotation), typing.get_args(annotation)
    if is_own_type(annotation):
        yield annotation
    elif origin is not Literal:
        for part in args[:1] if origin is Annotated else args:
            yield from _own_types(part, around)


def all_own_types(annotations: Iterable[Any]) -> list[type]:
    """Return the Enums, dataclasses and models in annotations, including nested ones."""
    kept: dict[type, None] = {}
    left = list(annotations)
    while left:
        for cls in own_types(left.pop()):
            if cls not in kept:
                kept[cls] = None
                left.extend(_members(cls))
    return list(kept)


def _members(cls: type) -> list[Any]:
    if issubclass(cls, BaseModel):
        return [info.annotation for info in cls.model_fields.values()]
    if issubclass(cls, Enum):
        return []
    try:
        hints = typing.get_type_hints(cls).values()
        return [hint for hint in hints if typing.get_origin(hint) is not typing.ClassVar]
    except (
        NameError,
        TypeError,
        AttributeError,
    ):  # then it is not usable as a field's type either
        return []


def things_in_module(module: ModuleType) -> Iterator[Any]:
    """Yield the classes, signatures and programs in a module's namespace."""
    return _filter_relevant(vars(module).values())


def things_it_imports(module: ModuleType) -> Iterator[Any]:
    """Yield the same for modules that a module imports."""
    for value in list(vars(module).values()):
        if issubclass(type(value), ModuleType):
            yield from _filter_relevant(vars(value).values())


def _filter_relevant(values: Iterable[Any]) -> Iterator[Any]:
    kinds = (type, Module, SignatureSpec)
    return (value for value in list(values) if issubclass(type(value), kinds))


def things_in_class(cls: type) -> Iterator[Any]:
    """Yield the values in a class and in the closures of its methods."""
    for base in _user_bases(cls):
        for value in vars(base).values():
            yield value
            yield from _closure_contents(value)


def modules_of(cls: type) -> list[ModuleType]:
    """Return the modules that define a class and its bases."""
    names = dict.fromkeys(base.__module__ for base in _user_bases(cls))
    return [sys.modules[name] for name in names if name in sys.modules]


def _user_bases(cls: type) -> list[type]:
    ours = ("langprog", "builtins")
    return [base for base in cls.__mro__ if base.__module__.partition(".")[0] not in ours]


def _closure_contents(value: Any) -> Iterator[Any]:
    bound = type(value) in (classmethod, staticmethod)
    func = value.__func__ if bound else value
    if type(func) is not FunctionType:
        return
    for cell in func.__closure__ or ():
        yield from _cell_contents(cell)


def _cell_contents(cell: CellType) -> Iterator[Any]:
    try:
        content = cell.cell_contents
    except ValueError:  # not assigned yet
        return
    yield content
    if issubclass(type(content), ModuleType):
        yield from _filter_relevant(vars(content).values())


def signatures_among(things: Iterable[Any]) -> Iterator[SignatureSpec]:
    """Yield the signatures among ``things``, including those of programs."""
    for thing in things:
        if type(thing) is SignatureSpec:
            yield thing
        elif issubclass(type(thing), type) and issubclass(thing, Signature):
            if thing is not Signature:
                yield thing.spec
        elif issubclass(type(thing), Module):
            yield from (predictor.signature for predictor in thing.predictors().values())


def types_among(things: Iterable[Any], name: str) -> list[type]:
    """Return the Enums, dataclasses and models of a name in ``things`` and their signatures."""
    things = list(things)
    specs = signatures_among(things)
    used = all_own_types(field.annotation for spec in specs for field in spec.fields)
    named = [thing for thing in things if is_own_type(thing) and thing.__name__ == name]
    return list(dict.fromkeys([*named, *(cls for cls in used if cls.__name__ == name)]))
