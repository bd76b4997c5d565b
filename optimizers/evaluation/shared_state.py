"""What a program shares with its copies, and whether a compile has changed it.

A compile runs copies. Lists, dicts, sets and dataclasses are copied, but an object of a user's
class (a client, an index, a counter) is shared by all copies, and so are arrays, what a function
closes over, and class attributes. Such an object may be meant to change; a compile only reports
that it did.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Iterator
from types import FunctionType, MethodType, ModuleType
from typing import Any

from langprog import Module
from langprog.modules import Tree, held_by, hidden_modules, own_class_attributes
from optimizers.identity import text_digest

# How deep objects are inspected, how many values of each, and how many bytes of an array.
DEEPEST, MOST, MOST_BYTES = 5, 20_000, 64 * 2**20
_CONTAINERS = (list, tuple, dict, set, frozenset, deque, bytearray)
_FIXED = (type, ModuleType, Tree)


class SharedStateCheck:
    """Reports modules that a search cannot see, and shared objects that runs have changed.

    Args:
        program: The input program.
        notice: Receives each message.
    """

    def __init__(self, program: Module, notice: Callable[[str], None]) -> None:
        self._program = program
        self._notice = notice
        self._before = digest_shared_state(program)

    def report_hidden_modules(self) -> None:
        """Report attributes that hold modules or iterators that a search cannot handle."""
        for place in hidden_modules(self._program):
            self._notice(
                f"{place} contains modules that are not part of the program, so the search does "
                "not change them: keep them in attributes of the module, in lists, dicts or "
                "dataclasses"
            )
        for path, module in self._program.named_modules().items():
            for name, value in vars(module).items():
                if isinstance(value, Iterator):
                    self._notice(
                        f"{name} of {path} is an iterator, which all copies of the program share: "
                        "what one run takes from it is missing for the others; keep a list"
                    )

    def report_changes(self) -> None:
        """Report shared objects that runs of the copies have changed."""
        after = digest_shared_state(self._program)
        for place, digest in self._before.items():
            if after.get(place) != digest:
                self._notice(
                    f"{place} changed while the program was run: it is shared by all copies of "
                    "the program, so changes by one run reach the next, and the input program"
                )


def digest_shared_state(program: Module) -> dict[str, str]:
    """Return a digest of each object that a program shares with its copies, by its place."""
    digests = {}
    for path, module in program.named_modules().items():
        prefix = "" if path == program.root_name() else f"{path}."
        for name, value in own_class_attributes(type(module)).items():
            if isinstance(value, (list, dict, set, deque, bytearray)):
                digests[f"{prefix}{name} (on the class)"] = _digest(value)
        for name, value in vars(module).items():
            for number, shared in enumerate(_find_shared(value, DEEPEST)):
                place = f"{prefix}{name} (a {type(shared).__name__})"
                digests[f"{place}{'' if number == 0 else f' {number + 1}'}"] = _digest(shared)
    return digests


def _find_shared(value: Any, depth: int) -> Iterator[Any]:
    """Yield the objects of users' classes in an attribute, which copies share."""
    if isinstance(value, _CONTAINERS):
        inside = value.values() if isinstance(value, dict) else value
        for item in inside if depth else ():
            yield from _find_shared(item, depth - 1)
    elif _is_own(value):
        yield value


def _is_own(value: Any) -> bool:
    if isinstance(value, (FunctionType, MethodType)):
        return any(True for _ in held_by(value))
    own = type(value).__module__.partition(".")[0] not in ("builtins", "langprog")
    if not own or isinstance(value, _FIXED):
        return False
    return _read_bytes(value) is not None or any(True for _ in held_by(value))


def _read_bytes(value: Any) -> memoryview | None:
    """Return the memory of an array, such as one of numpy; ``None`` for other objects."""
    try:
        view = memoryview(value)
    except (TypeError, ValueError, BufferError):
        return None
    return view if view.nbytes <= MOST_BYTES else None


def _digest(value: Any) -> str:
    return text_digest("\n".join(_describe_content(value, DEEPEST, set(), iter(range(MOST)))))


def _describe_content(
    value: Any, depth: int, seen: set[int], left: Iterator[int]
) -> Iterator[str]:
    if next(left, None) is None:
        return
    if isinstance(value, (str, int, float, bool, bytes, type(None))):
        yield repr(value)
        return
    yield f"{type(value).__qualname__} {id(value)}"
    if id(value) in seen or not depth:
        return
    seen.add(id(value))
    memory = None if isinstance(value, _CONTAINERS) else _read_bytes(value)
    if memory is not None:
        yield hashlib.sha256(memory.tobytes()).hexdigest()
    for item in _list_content(value):
        yield from _describe_content(item, depth - 1, seen, left)


def _list_content(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [*value.keys(), *value.values()]
    if isinstance(value, _CONTAINERS):
        return list(value)
    return list(held_by(value)) if _is_own(value) else []
