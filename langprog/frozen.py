"""Frozen dataclasses that are made as quickly as mutable ones.

A frozen dataclass sets each field through ``object.__setattr__``, which takes eight times as long
as an assignment, and every call of a model makes a handful of such values.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import MISSING, fields
from operator import attrgetter
from typing import Any, TypeVar

T = TypeVar("T")


def quick_init(cls: type[T]) -> type[T]:
    """Give a frozen dataclass with slots an ``__init__`` that assigns its fields.

    While it runs, the object is of a class with the same slots that is not frozen. A subclass
    keeps the ``__init__`` that dataclasses made.

    Args:
        cls: The class; none of its fields has a default factory, or is for keywords only.
    """
    generated = cls.__init__
    names = [item.name for item in fields(cls)]  # type: ignore[arg-type]  # it is a dataclass
    defaults = {
        f"_default_{item.name}": item.default
        for item in fields(cls)  # type: ignore[arg-type]  # as above
        if item.default is not MISSING
    }
    taken = [f"{n}=_default_{n}" if f"_default_{n}" in defaults else n for n in names]
    body = [
        "if self.__class__ is not _frozen:",
        f"    return _generated(self, {', '.join(names)})",
        "_set(self, '__class__', _open)",
        *(f"self.{name} = {name}" for name in names),
        "self.__class__ = _frozen",
        *(["self.__post_init__()"] if "__post_init__" in vars(cls) else []),
    ]
    source = "\n    ".join([f"def __init__(self, {', '.join(taken)}):", *body])
    scope: dict[str, Any] = {
        **defaults,
        "_frozen": cls,
        "_generated": generated,
        "_open": type(cls.__name__, (), {"__slots__": vars(cls)["__slots__"]}),
        "_set": object.__setattr__,
    }
    # As dataclasses do it: the names of the fields, which the source is made of, are identifiers.
    exec(source, scope)
    cls.__reduce__ = _quick_reduce(names)  # type: ignore[assignment]  # as for __init__
    made = scope["__init__"]
    made.__module__, made.__qualname__ = generated.__module__, generated.__qualname__
    made.__annotations__ = generated.__annotations__
    cls.__init__ = made  # type: ignore[method-assign]  # what the decorator is for
    return cls


def _quick_reduce(names: list[str]) -> Callable[[Any], Any]:
    """Return a ``__reduce__``: what dataclasses do with slots looks up the fields each time."""
    read = attrgetter(*names) if len(names) > 1 else lambda self: (getattr(self, names[0]),)

    def reduce(self: Any) -> Any:
        return self.__class__, read(self)

    return reduce
