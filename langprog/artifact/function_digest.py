"""Digests of functions: their source, and the values around them that they were made with.

Two functions from one `def` or one line of lambdas may check different things: what a closure
captures, what a method's object holds, what a partial was given. Plain data is compared by value,
functions by their source, programs by their data; of other objects only the type is known.
"""

from __future__ import annotations

import ast
import dataclasses
import functools
import hashlib
import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import date, time, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from types import ModuleType
from typing import Any
from uuid import UUID

from pydantic import BaseModel

from langprog.artifact.classes import source_digest
from langprog.errors import ArtifactError
from langprog.lm import model_name
from langprog.modules import Module

# Values whose texts say all about them; the first were the only ones of earlier versions.
_PLAIN = (str, int, float, bool, bytes, type(None))
_TELLING = (*_PLAIN, complex, date, time, timedelta, Decimal, UUID, PurePath)


def function_digest(function: Any) -> str:
    """Return the digest of a function.

    Raises:
        ArtifactError: Its source is not available.
    """
    return _hash(_text(function, set()))


def earlier_digests(function: Any) -> tuple[str, ...]:
    """Return the digests that earlier versions gave a function: they knew fewer values.

    Raises:
        ArtifactError: Its source is not available.
    """
    if isinstance(function, functools.partial):
        return ()
    if not inspect.isroutine(function):
        return (source_digest(type(function)),)
    return (_hash(_basic_text(_inner(function))),)


def is_importable(function: Any) -> bool:
    """Return whether a function is what stands under its name in its module."""
    if not inspect.isroutine(function):
        return False
    owner = getattr(function, "__self__", None)
    return owner is None or isinstance(owner, (type, ModuleType))


def _hash(text: str) -> str:
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def _inner(function: Any) -> Any:
    return inspect.unwrap(getattr(function, "__func__", function))


def _text(function: Any, around: set[int]) -> str:
    """Return a text that two functions share only if they are the same."""
    if id(function) in around:
        return "again"
    around = around | {id(function)}
    if isinstance(function, functools.partial):
        given: dict[Any, Any] = {**dict(enumerate(function.args)), **function.keywords}
        inside = f"partial {_text(function.func, around)}"
        more = list(_known(given, around, _PLAIN))
    elif not inspect.isroutine(function):
        inside = source_digest(type(function))
        more = [("self", _several(_contents(function), around))]
    else:
        inner = _inner(function)
        inside = _basic_text(inner)
        more = list(_known(dict(_captured(inner)), around, ()))
        owner = getattr(function, "__self__", None)
        if owner is not None and not isinstance(owner, (type, ModuleType)):
            more.append(("self", _value(owner, around)))
        more += [("lambda", text) for text in _lambda_among_others(inner)]
    # Without further values it is the text of earlier versions.
    return f"{inside} {sorted(more)}" if more else inside


def _basic_text(inner: Any) -> str:
    plain = [(name, repr(value)) for name, value in _captured(inner) if isinstance(value, _PLAIN)]
    return f"{source_digest(inner)} {sorted(plain)}"


def _captured(inner: Any) -> Iterator[tuple[str, Any]]:
    """Yield the values that a function captures, and the defaults of its parameters."""
    try:
        yield from inspect.getclosurevars(inner).nonlocals.items()
    except TypeError:  # not written in Python
        pass
    defaults: tuple[Any, ...] = getattr(inner, "__defaults__", None) or ()
    yield from ((str(at), each) for at, each in enumerate(defaults))
    yield from (getattr(inner, "__kwdefaults__", None) or {}).items()


def _known(
    values: Mapping[Any, Any], around: set[int], included: tuple[type, ...]
) -> Iterator[tuple[str, str]]:
    """Yield texts of values; those that the basic text has are left out unless ``included``."""
    for name, value in values.items():
        if not isinstance(value, _PLAIN) or isinstance(value, included):
            yield str(name), _value(value, around)


# --- values --------------------------------------------------------------------------------------


def _value(value: Any, around: set[int]) -> str:
    """Return a text for a value: what it holds, or its type where that cannot be known."""
    if isinstance(value, Enum):
        return f"{_type(value)}.{value.name}"
    if isinstance(value, _TELLING):
        return repr(value)
    if isinstance(value, re.Pattern):
        return f"pattern {value.pattern!r} {value.flags}"
    if isinstance(value, ModuleType):
        return f"module {value.__name__}"
    if isinstance(value, type):
        return f"class {value.__module__}:{value.__qualname__}"
    if inspect.isroutine(value) or isinstance(value, functools.partial):
        return _function(value, around)
    if id(value) in around:
        return "again"
    around = around | {id(value)}
    if isinstance(value, (Mapping, list, tuple, set, frozenset)):
        return _several(value, around)
    if isinstance(value, Module):
        return _program(value)
    return f"{_type(value)} {_several(_contents(value), around)}"


def _several(value: Any, around: set[int]) -> str:
    if isinstance(value, Mapping):
        return (
            f"mapping {sorted((_value(k, around), _value(v, around)) for k, v in value.items())}"
        )
    texts = [_value(item, around) for item in value]
    return f"{_type(value)} {sorted(texts) if isinstance(value, (set, frozenset)) else texts}"


def _contents(value: Any) -> Mapping[str, Any]:
    """Return the attributes of an object that is a plain record of the user's; else nothing."""
    if isinstance(value, BaseModel):
        return value.model_dump()
    if dataclasses.is_dataclass(value):
        return {item.name: getattr(value, item.name) for item in dataclasses.fields(value)}
    own = getattr(value, "__dict__", None)
    return {name: each for name, each in own.items() if _is_data(each)} if own else {}


def _is_data(value: Any) -> bool:
    if isinstance(value, (list, tuple, set, frozenset)):
        return all(map(_is_data, value))
    if isinstance(value, Mapping):
        return all(_is_data(name) and _is_data(each) for name, each in value.items())
    return isinstance(value, (*_TELLING, Enum, re.Pattern))


def _program(program: Module) -> str:
    parts = [
        (path, each.signature.digest, [demo.digest for demo in each.demos], model_name(each.model))
        for path, each in program.predictors().items()
    ]
    return f"program {_type(program)} {parts}"


def _function(function: Callable[..., Any], around: set[int]) -> str:
    try:
        return _text(function, around)
    except ArtifactError:  # its source is not there
        return f"function {getattr(function, '__module__', '')}:{_named(function)}"


def _named(function: Any) -> str:
    return str(getattr(function, "__qualname__", type(function).__qualname__))


def _type(value: Any) -> str:
    return f"{type(value).__module__}:{type(value).__qualname__}"


# --- lambdas -------------------------------------------------------------------------------------


def _lambda_among_others(function: Any) -> Iterator[str]:
    """Yield the text of a lambda that shares its lines with others: their source is one."""
    if getattr(function, "__name__", "") != "<lambda>":
        return
    if inspect.getsource(function).count("lambda") < 2:
        return
    code, source = function.__code__, "".join(inspect.findsource(function)[0])
    places = set(code.co_positions())
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Lambda) or node.lineno != code.co_firstlineno:
            continue
        body = node.body
        place = (body.lineno, body.end_lineno, body.col_offset, body.end_col_offset)
        if place in places:
            yield ast.get_source_segment(source, node) or ""
            return
