"""What an object other than a container holds: attributes, slots, what a function closes over."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from types import FunctionType, MethodType
from typing import Any


def held_by(value: Any) -> Iterator[Any]:
    """Yield what an object refers to, besides its class and its module.

    Args:
        value: An object of a user's class, a function, a bound method or a ``partial``.
    """
    if isinstance(value, FunctionType):
        yield from _closed_over(value)
    elif isinstance(value, MethodType):
        yield value.__self__
    elif isinstance(value, partial):
        yield from (value.func, *value.args, *value.keywords.values())
    else:
        yield from _slots(value)
    yield from getattr(value, "__dict__", {}).values()


def _closed_over(function: FunctionType) -> Iterator[Any]:
    for cell in function.__closure__ or ():
        try:
            yield cell.cell_contents
        except ValueError:  # a name that has no value yet
            continue
    yield from function.__defaults__ or ()
    yield from (function.__kwdefaults__ or {}).values()


def _slots(value: Any) -> Iterator[Any]:
    for cls in type(value).__mro__:
        names = cls.__dict__.get("__slots__", ())
        for name in (names,) if isinstance(names, str) else names:
            private = name.startswith("__") and not name.endswith("__")
            place = f"_{cls.__name__.lstrip('_')}{name}" if private else name
            if place not in ("__dict__", "__weakref__"):
                yield getattr(value, place, None)
