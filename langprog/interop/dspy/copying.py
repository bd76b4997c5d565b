"""Copies of DSPy programs: their modules and containers are copied, everything else is shared.

Every call runs on a copy of its own, so that what a module remembers of one call (BestOfN counts
failures) reaches no other call, and the user's program is never written to. What a program holds
beside modules and containers (a client, an index) may be large, and is shared.
"""

from __future__ import annotations

import copy
import functools
from collections import deque
from collections.abc import Callable
from types import MethodType
from typing import Any

import dspy

# What takes the place of an object; ``None`` for nothing.
Replace = Callable[[Any], Any]

_ATOMS = frozenset({str, int, float, bool, type(None), bytes, complex})


def copy_program(program: Any, replace: Replace | None = None) -> Any:
    """Return a copy of a DSPy module, or of an adapter.

    A tool that is a method of a copied module becomes the method of the copy.

    Args:
        program: The module.
        replace: Returns what takes the place of an object inside, or ``None`` to keep it.
    """
    return _Copier(replace or _keep).copy(program)


def _keep(value: Any) -> Any:
    return None


class _Copier:
    def __init__(self, replace: Replace) -> None:
        self._replace = replace
        # Copies by the id of the original, which is kept alive beside its copy.
        self._done: dict[int, tuple[Any, Any]] = {}

    def copy(self, value: Any) -> Any:
        kind = type(value)
        if kind in _ATOMS:
            return value
        if id(value) in self._done:
            return self._done[id(value)][1]
        new = self._replace(value)
        if new is not None:
            return self._keep(value, new)
        if isinstance(value, (dspy.Module, dspy.Adapter)):
            return self._copy_object(value)
        if isinstance(value, (list, deque, dict)):
            return self._copy_container(value)
        if isinstance(value, tuple):
            return self._copy_tuple(value)
        if isinstance(value, (set, frozenset)):
            return self._keep(value, copy.copy(value))
        return self._copy_callable(value)

    def _keep(self, value: Any, new: Any) -> Any:
        self._done[id(value)] = (value, new)
        return new

    def _copy_object(self, value: Any) -> Any:
        new = self._keep(value, object.__new__(type(value)))
        for name, inside in vars(value).items():
            vars(new)[name] = [] if name == "history" else self.copy(inside)
        return new

    def _copy_container(self, value: Any) -> Any:
        new = self._keep(value, copy.copy(value))
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, inside in items:
            other = self.copy(inside)
            if other is not inside:
                new[key] = other
        return new

    def _copy_tuple(self, value: Any) -> Any:
        items = [self.copy(inside) for inside in value]
        if all(new is old for new, old in zip(items, value, strict=True)):
            return value
        return self._keep(value, tuple.__new__(type(value), items))

    def _copy_callable(self, value: Any) -> Any:
        if isinstance(value, MethodType):
            owner = self.copy(value.__self__)
            moved = owner is not value.__self__
            return self._keep(value, MethodType(value.__func__, owner) if moved else value)
        if type(value) is functools.partial:
            parts = [self.copy(value.func), self.copy(value.args), self.copy(value.keywords)]
            return self._keep(value, functools.partial(parts[0], *parts[1], **parts[2]))
        if isinstance(value, dspy.Tool):
            function = self.copy(value.func)
            moved = function is not value.func
            return self._keep(
                value, value.model_copy(update={"func": function}) if moved else value
            )
        return value
