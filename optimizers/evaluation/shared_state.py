"""What a program shares with its copies, and whether a compile has changed it.

A compile runs copies. They have lists, dicts, sets and dataclasses of their own, but a client, an
index or a counter of the user's own class is one object in all of them, and what stands on the
class itself, too. Such an object may well be meant to change; that it did is said.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from types import FunctionType, MethodType, ModuleType
from typing import Any

from langprog import Module
from langprog.modules import Tree, hidden_modules, own_class_attributes
from optimizers.identity import text_digest

# How deep objects are looked into, and how many values of each.
DEEPEST, MOST = 5, 20_000
_CONTAINERS = (list, tuple, dict, set, frozenset, deque, bytearray)
_FIXED = (type, FunctionType, MethodType, ModuleType, Tree)


class SharedStateCheck:
    """What a compile has to say of the program itself.

    Args:
        program: The program that was given.
        notice: Takes what is said.
    """

    def __init__(self, program: Module, notice: Callable[[str], None]) -> None:
        self._program = program
        self._notice = notice
        self._before = shared_state(program)

    def say_hidden(self) -> None:
        """Say where it holds modules that no search finds."""
        for place in hidden_modules(self._program):
            self._notice(
                f"{place} holds modules that are not a part of the program, so nothing is set on "
                "them: keep them in attributes of the module, in lists, dicts or dataclasses"
            )
        for path, module in self._program.named_modules().items():
            for name, value in vars(module).items():
                if isinstance(value, Iterator):
                    self._notice(
                        f"{name} of {path} is an iterator, which all copies of the program share: "
                        "what a run takes from it is gone for the others; keep a list"
                    )

    def say_changed(self) -> None:
        """Say what runs of its copies changed in it."""
        after = shared_state(self._program)
        for place, digest in self._before.items():
            if after.get(place) != digest:
                self._notice(
                    f"{place} changed while the program was run: it is shared by all copies of "
                    "the program, so what one run leaves there reaches the next, and the program "
                    "that was given"
                )


def shared_state(program: Module) -> dict[str, str]:
    """Return a digest of everything that a program shares with its copies, by its place."""
    digests = {}
    for path, module in program.named_modules().items():
        prefix = "" if path == program.root_name() else f"{path}."
        for name, value in own_class_attributes(type(module)).items():
            if isinstance(value, (list, dict, set, deque, bytearray)):
                digests[f"{prefix}{name} (on the class)"] = _digest(value)
        for name, value in vars(module).items():
            for number, shared in enumerate(_shared(value, DEEPEST)):
                place = f"{prefix}{name} (a {type(shared).__name__})"
                digests[f"{place}{'' if number == 0 else f' {number + 1}'}"] = _digest(shared)
    return digests


def _shared(value: Any, depth: int) -> Iterator[Any]:
    """Yield objects of the user's classes in an attribute: those that copies share."""
    if isinstance(value, _CONTAINERS):
        inside = value.values() if isinstance(value, dict) else value
        for item in inside if depth else ():
            yield from _shared(item, depth - 1)
    elif _is_own(value):
        yield value


def _is_own(value: Any) -> bool:
    own = type(value).__module__.partition(".")[0] not in ("builtins", "langprog")
    return own and not isinstance(value, _FIXED) and bool(getattr(value, "__dict__", None))


def _digest(value: Any) -> str:
    return text_digest("\n".join(_texts(value, DEEPEST, set(), iter(range(MOST)))))


def _texts(value: Any, depth: int, seen: set[int], left: Iterator[int]) -> Iterator[str]:
    if next(left, None) is None:
        return
    if isinstance(value, (str, int, float, bool, bytes, type(None))):
        yield repr(value)
        return
    yield f"{type(value).__qualname__} {id(value)}"
    if id(value) in seen or not depth:
        return
    seen.add(id(value))
    for item in _inside(value):
        yield from _texts(item, depth - 1, seen, left)


def _inside(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [*value.keys(), *value.values()]
    if isinstance(value, _CONTAINERS):
        return list(value)
    return list(vars(value).values()) if _is_own(value) else []
