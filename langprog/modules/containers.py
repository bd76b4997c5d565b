"""Finding and replacing modules inside a module's attributes, at any depth of containers.

Lists, tuples, deques, dicts, dataclasses and namespaces are searched, and copies keep their types.
A copy has its own containers (and random generators), so that running it never writes to the
original. Anything else in an attribute (a client, a lock, a function) is shared by all copies.
"""

from __future__ import annotations

import copy
import dataclasses
from collections import OrderedDict, deque
from collections.abc import ItemsView, Iterable, Iterator, KeysView, Mapping, ValuesView
from random import Random
from types import FunctionType, MappingProxyType, MethodType, NoneType, SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from langprog.errors import InputError
from langprog.hints import Hinted
from langprog.modules.held import held_by

if TYPE_CHECKING:
    from langprog.modules.base import Module


class ModuleBase(Hinted):
    """The root of all modules, by which this file recognizes them without importing Module."""


# Types without contents: most values in data, skipped quickly.
_ATOMS = frozenset({str, int, float, bool, NoneType, bytes, complex})
# What copying a user's own class may raise.
_COPYING = (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)
_OPENED = "a list, tuple, dict, dataclass or an lp.Module"


def modules_in(value: Any, place: str) -> Iterator[tuple[str, Module]]:
    """Yield the modules in a value, in order, each with its place.

    Args:
        value: A module, a container with modules, or anything else.
        place: The value's name; inside containers, ``[0]``, ``[key]`` or ``.field`` is appended.

    Raises:
        InputError: There are modules in a set, which has no order, or in a container that
            contains itself.
    """
    return _walk(value, place, (), strict=True)


def _walk(
    value: Any, place: str, around: tuple[int, ...], *, strict: bool
) -> Iterator[tuple[str, Module]]:
    if isinstance(value, ModuleBase):
        yield place, cast("Module", value)
        return
    if id(value) in around:
        if strict and any(_walk(value, place, (), strict=False)):
            raise InputError(f"{place} contains itself and modules: remove the cycle")
        return
    for step, item in _items(value, place):
        if not _is_row(item):
            yield from _walk(item, f"{place}{step}", (*around, id(value)), strict=strict)


def _is_row(value: Any) -> bool:
    """Return whether a value is an atom or a dict of atoms, as data rows are."""
    kind = type(value)
    return kind in _ATOMS or (kind is dict and _ATOMS.issuperset(map(type, value.values())))


def _is_flat(value: Any) -> bool:
    """Return whether a container holds only atoms, as most data does."""
    if isinstance(value, (list, tuple, deque)):
        return _ATOMS.issuperset(map(type, value))
    if isinstance(value, (dict, MappingProxyType)):
        return _ATOMS.issuperset(map(type, value.values()))
    return False


def _items(value: Any, place: str) -> Iterable[tuple[str, Any]]:
    """Return a container's items, each with its step in the path; nothing for an atom."""
    if _is_flat(value):
        return ()
    if isinstance(value, (list, tuple, deque)):
        return ((f"[{index}]", item) for index, item in enumerate(value))
    if isinstance(value, (dict, MappingProxyType)):
        return ((f"[{key}]", item) for key, item in value.items())
    if isinstance(value, (set, frozenset)):
        inside = (item for item in value if type(item) not in _ATOMS)
        if any(any(_walk(item, place, (), strict=False)) for item in inside):
            raise InputError(
                f"{place} is a set with modules in it, which have no order: "
                "make it a list or a dict"
            )
        return ()
    if _has_fields(value):
        return ((f".{name}", item) for name, item in _fields(value).items())
    return ()


def _has_fields(value: Any) -> bool:
    cls = type(value)
    if cls is SimpleNamespace:
        return True
    # Our own dataclasses hold no modules, and a few are large.
    return dataclasses.is_dataclass(cls) and cls.__module__.partition(".")[0] != "langprog"


def _fields(value: Any) -> dict[str, Any]:
    own = dict(getattr(value, "__dict__", {}))
    if dataclasses.is_dataclass(value):
        for each in dataclasses.fields(value):
            if each.name not in own and getattr(value, each.name, None) is not None:
                own[each.name] = getattr(value, each.name)
    return own


# --- copies ----------------------------------------------------------------------------------


def rebuild(value: Any, place: str, children: Mapping[str, Module], done: dict[int, Any]) -> Any:
    """Return a copy of a value with other modules and its own containers.

    Args:
        value: As for :func:`modules_in`.
        place: As for :func:`modules_in`.
        children: The new modules by place.
        done: Copies made so far, by the id of the original: an object in two places stays one
            object.

    Raises:
        InputError: A container with modules cannot be copied.
    """
    if type(value) in _ATOMS:
        return value
    if isinstance(value, ModuleBase):
        return children.get(place, value)
    if id(value) in done:
        return done[id(value)]
    if _is_row(value):
        done[id(value)] = value.copy()
        return done[id(value)]
    if isinstance(value, (tuple, MappingProxyType)):
        return _rebuild_whole(value, place, children, done)
    if isinstance(value, (list, deque, dict, set, bytearray, Random)) or _has_fields(value):
        return _rebuild_in_place(value, place, children, done)
    return value


def _rebuild_in_place(
    value: Any, place: str, children: Mapping[str, Module], done: dict[int, Any]
) -> Any:
    new = done[id(value)] = _copy_shallow(value, place)
    changed = False
    filled = new is not value and not _is_flat(value)
    for step, key, item in _places(value) if filled else ():
        other = rebuild(item, f"{place}{step}", children, done)
        if other is not item:
            _set_item(new, key, other)
            changed = True
    if not changed and _is_frozen(value):
        new = done[id(value)] = value
    return new


def _is_frozen(value: Any) -> bool:
    parameters = getattr(type(value), "__dataclass_params__", None)
    return parameters is not None and bool(parameters.frozen)


def _rebuild_whole(
    value: Any, place: str, children: Mapping[str, Module], done: dict[int, Any]
) -> Any:
    """Rebuild an immutable container; returns the original if nothing in it changed."""
    done[id(value)] = value  # used if it contains itself
    if _is_flat(value):
        return value
    items = {
        key: rebuild(item, f"{place}{step}", children, done) for step, key, item in _places(value)
    }
    if all(items[key] is item for _, key, item in _places(value)):
        return value
    if isinstance(value, MappingProxyType):
        new: Any = MappingProxyType(items)
    else:
        new = tuple.__new__(type(value), items.values())
        vars_of(new).update(vars_of(value))
    done[id(value)] = new
    return new


def vars_of(value: Any) -> dict[str, Any]:
    """Return a value's attributes; an unconnected dict if it has none."""
    attributes: dict[str, Any] = getattr(value, "__dict__", {})
    return attributes


def _places(value: Any) -> Iterator[tuple[str, Any, Any]]:
    """Yield every item of a container with its step in the path and its key."""
    if isinstance(value, (list, tuple, deque)):
        yield from ((f"[{index}]", index, item) for index, item in enumerate(value))
    elif isinstance(value, (dict, MappingProxyType)):
        yield from ((f"[{key}]", key, item) for key, item in value.items())
    elif _has_fields(value):
        yield from ((f".{name}", name, item) for name, item in _fields(value).items())


def _set_item(new: Any, key: Any, item: Any) -> None:
    # Bypasses overridden methods: they already ran for the original.
    if isinstance(new, list):
        list.__setitem__(new, key, item)
    elif isinstance(new, deque):
        deque.__setitem__(new, key, item)
    elif isinstance(new, OrderedDict):
        OrderedDict.__setitem__(new, key, item)
    elif isinstance(new, dict):
        dict.__setitem__(new, key, item)
    else:
        object.__setattr__(new, key, item)


def _copy_shallow(value: Any, place: str) -> Any:
    """Return a shallow copy of a container, or itself if it cannot be copied.

    Raises:
        InputError: It has modules and cannot be copied.
    """
    try:
        new = copy.copy(value)
        why = f"its copy is a {type(new).__name__}"
    except _COPYING as error:
        new, why = None, f"{type(error).__name__}: {error}"
    if type(new) is type(value) and new is not value:
        return new
    if any(modules_in(value, place)):
        raise InputError(
            f"{place} contains modules in a {type(value).__name__}, which cannot be copied "
            f"({why}): keep them in {_OPENED}"
        )
    return value


# --- modules that are not found --------------------------------------------------------------

# How many levels of objects are searched, and how many objects in total.
DEEPEST, MOST = 4, 10_000


def hidden_modules(program: Module) -> list[str]:
    """Describe where a program contains modules that it does not list.

    Those are in attributes of other objects, in dict keys, or on the class itself.
    """
    listed = program.paths()
    places = []
    for path, module in program.named_modules().items():
        left = iter(range(MOST))
        own = {**own_class_attributes(type(module)), **vars(module)}
        for name, value in own.items():
            if any(id(each) not in listed for each in _walk_deep(value, DEEPEST, set(), left)):
                where = name if path == program.root_name() else f"{path}.{name}"
                places.append(f"{where} (a {type(value).__name__})")
    return places


def own_class_attributes(cls: type) -> dict[str, Any]:
    """Return the attributes of the user's own classes in a class's MRO, by name."""
    own: dict[str, Any] = {}
    for each in reversed(cls.__mro__):
        if each.__module__.partition(".")[0] not in ("langprog", "builtins"):
            own.update(vars(each))
    return {name: value for name, value in own.items() if not name.startswith("__")}


def _walk_deep(value: Any, depth: int, seen: set[int], left: Iterator[int]) -> Iterator[Module]:
    if isinstance(value, ModuleBase):
        yield cast("Module", value)
        return
    if type(value) in _ATOMS or id(value) in seen or next(left, None) is None:
        return
    seen.add(id(value))
    for item in _contents(value) if depth else ():
        yield from _walk_deep(item, depth - 1, seen, left)


def _contents(value: Any) -> Iterator[Any]:
    if isinstance(value, (dict, MappingProxyType)):
        yield from value.keys()
        yield from value.values()
    elif isinstance(value, (list, tuple, deque, set, frozenset, KeysView, ValuesView, ItemsView)):
        yield from value
    elif isinstance(value, (FunctionType, MethodType)) or (
        not isinstance(value, type) and type(value).__module__ not in ("builtins", "types")
    ):
        yield from held_by(value)
