"""Where a class's own code could take types from: its module, its closures, its signatures."""

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
from langprog.signature import Signature, SignatureSpec


def is_own_type(thing: object) -> bool:
    """Return whether ``thing`` is an Enum, a dataclass or a pydantic model (a class of it)."""
    # Asked of its type: some objects in a namespace stand for others and wake up when looked at.
    if not issubclass(type(thing), type):
        return False
    cls = typing.cast(type, thing)
    if issubclass(cls, (Module, Signature)) or cls in (Enum, BaseModel):
        return False
    return issubclass(cls, (Enum, BaseModel)) or dataclasses.is_dataclass(cls)


def own_types(annotation: Any) -> list[type]:
    """Return the Enums, dataclasses and models in an annotation, without those inside them."""
    origin, args = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Literal:
        return []
    if is_own_type(annotation):
        return [annotation]
    inside = args[:1] if origin is Annotated else args
    return [cls for part in inside for cls in own_types(part)]


def all_own_types(annotations: Iterable[Any]) -> list[type]:
    """Return the Enums, dataclasses and models in annotations and inside one another."""
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
        return list(typing.get_type_hints(cls).values())
    except (NameError, TypeError, AttributeError):  # it could not be a field's type either
        return []


def things_in_module(module: ModuleType) -> Iterator[Any]:
    """Yield the classes, signatures and programs in a module's namespace."""
    return _filter_relevant(vars(module).values())


def things_it_imports(module: ModuleType) -> Iterator[Any]:
    """Yield the same of the modules that a module imported by name."""
    for value in list(vars(module).values()):
        if issubclass(type(value), ModuleType):
            yield from _filter_relevant(vars(value).values())


def _filter_relevant(values: Iterable[Any]) -> Iterator[Any]:
    kinds = (type, Module, SignatureSpec)
    return (value for value in list(values) if issubclass(type(value), kinds))


def things_in_class(cls: type) -> Iterator[Any]:
    """Yield what stands in a class and in the closures of its methods."""
    for base in _user_bases(cls):
        for value in vars(base).values():
            yield value
            yield from _closure_contents(value)


def modules_of(cls: type) -> list[ModuleType]:
    """Return the modules in which a class and its bases were written."""
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
    """Yield the values of the signatures among ``things``; those of programs are their own."""
    for thing in things:
        if type(thing) is SignatureSpec:
            yield thing
        elif issubclass(type(thing), type) and issubclass(thing, Signature):
            if thing is not Signature:
                yield thing.spec
        elif issubclass(type(thing), Module):
            yield from (predictor.signature for predictor in thing.predictors().values())


def types_among(things: Iterable[Any], name: str) -> list[type]:
    """Return the Enums, dataclasses and models of a name: ``things``, and in their signatures."""
    things = list(things)
    specs = signatures_among(things)
    used = all_own_types(field.annotation for spec in specs for field in spec.fields)
    named = [thing for thing in things if is_own_type(thing) and thing.__name__ == name]
    return list(dict.fromkeys([*named, *(cls for cls in used if cls.__name__ == name)]))
