"""Adapters by name: the built-in ones and those of installed packages."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points
from types import MappingProxyType
from typing import Any

from langprog.adapters.base import Adapter
from langprog.adapters.chat import ChatAdapter
from langprog.adapters.function_call import ToolsAdapter
from langprog.adapters.json_object import JSONAdapter
from langprog.adapters.xml import XMLAdapter
from langprog.errors import InputError
from langprog.plugins import load_plugin

AUTO = "auto"
"""Means ``json`` for models that are known to follow a schema, ``chat`` for all others."""

GROUP = "langprog.adapters"
"""The entry point group in which packages register adapters."""

# Every version ever released, by its reference in programs.
ADAPTERS: Mapping[str, Adapter] = MappingProxyType(
    {
        "chat": ChatAdapter(),
        "json": JSONAdapter(),
        "xml": XMLAdapter(),
        "tools": ToolsAdapter(),
    }
)

_NAME = re.compile(r"[A-Za-z0-9][\w.-]*", re.ASCII)
_REFERENCE = re.compile(r"([^@]+)@([1-9][0-9]{0,5})")
_METHODS = ("render", "parse", "response_schema", "tools", "tool_choice", "repair")


def adapter_named(reference: str) -> Adapter:
    """Return the adapter of that name.

    Args:
        reference: The name, for version 1; ``name@2`` for a later version.

    Raises:
        InputError: There is no such adapter or version; the message lists the known ones.
    """
    adapter = ADAPTERS.get(reference)
    if adapter is not None:
        return adapter
    name, version = _parts(reference)
    versions = {known.version: known for known in ADAPTERS.values() if known.name == name}
    if not versions:
        versions = {known.version: known for known in _installed_versions(name)}
    if version in versions:
        return versions[version]
    if versions:
        known = ", ".join(map(str, sorted(versions)))
        raise InputError(
            f"the adapter {name!r} has no version {version} here, only {known}: upgrade "
            f"{'langprog' if name in ADAPTERS else 'the package that has it'}"
        )
    raise InputError(
        f"there is no adapter {reference!r}; there are {', '.join([*ADAPTERS, *_names()])}; one "
        f"of your own is handed over as an object, or named by an entry point of {GROUP!r}"
    )


def check_adapter(adapter: object) -> str | Adapter:
    """Return what a program stores for an adapter given by name or as an object.

    Returns:
        The reference of a known adapter, else the object.

    Raises:
        InputError: The name is unknown, or the object is not an adapter; the message says what is
            missing.
    """
    if isinstance(adapter, str):
        return AUTO if adapter == AUTO else reference_of(adapter_named(adapter))
    checked = _check_complete(adapter)
    known = ADAPTERS.get(reference_of(checked))
    if known is not None and type(known) is type(checked):
        return reference_of(checked)
    if checked.name in ADAPTERS or checked.name == AUTO:
        raise InputError(
            f"the adapter {type(checked).__name__} calls itself {checked.name!r}, as one of "
            "langprog's own does: give it another name"
        )
    return checked


def reference_of(adapter: str | Adapter) -> str:
    """Return the reference of an adapter in programs: ``chat``, or ``chat@2`` from version 2."""
    if isinstance(adapter, str):
        return adapter
    return adapter.name if adapter.version == 1 else f"{adapter.name}@{adapter.version}"


def versioned_reference(adapter: str | Adapter) -> str:
    """Return the reference of an adapter in artifacts: ``chat@1``; ``auto`` has no version."""
    reference = reference_of(adapter)
    return reference if reference == AUTO or "@" in reference else f"{reference}@1"


def same_adapter(first: str | Adapter | None, second: str | Adapter | None) -> bool:
    """Return whether two adapters have the same class, version and state."""
    if first is second or first == second:
        return True
    if first is None or second is None or isinstance(first, str) or isinstance(second, str):
        return False
    alike = type(first) is type(second) and reference_of(first) == reference_of(second)
    return alike and vars(first) == vars(second)


def check_unclaimed(adapter: Adapter) -> None:
    """Check that the name of this adapter does not refer to another adapter.

    Raises:
        InputError: An installed package has another adapter with this name.
    """
    for known in _installed_versions(adapter.name):
        if known.version == adapter.version and type(known) is not type(adapter):
            raise InputError(
                f"the adapter {type(adapter).__name__} has the name {adapter.name!r}, which an "
                "installed package has taken for another one: give it another name"
            )


def _parts(reference: str) -> tuple[str, int]:
    versioned = _REFERENCE.fullmatch(reference)
    return (versioned[1], int(versioned[2])) if versioned else (reference, 1)


def _check_complete(adapter: Any) -> Adapter:
    kind = adapter.__name__ if isinstance(adapter, type) else type(adapter).__name__
    if isinstance(adapter, type):
        raise InputError(f"{kind} is a class: pass an adapter, {kind}()")
    lacks = [name for name in _METHODS if not callable(getattr(adapter, name, None))]
    name, version = getattr(adapter, "name", None), getattr(adapter, "version", None)
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        lacks.insert(0, "a name of letters, digits, '.', '_' and '-'")
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        lacks.insert(0, "a version, 1 or more")
    if lacks:
        raise InputError(
            f"{kind} is not an adapter, as it lacks {', '.join(lacks)}: derive it from "
            "langprog.adapters.Adapter"
        )
    checked: Adapter = adapter
    return checked


# --- installed packages
# ---------------------------------------------------------------------------


@lru_cache(maxsize=1)
def _points() -> Mapping[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=GROUP)}


def _names() -> list[str]:
    return sorted(name for name in _points() if name not in ADAPTERS)


@lru_cache(maxsize=256)
def _installed_versions(name: str) -> tuple[Adapter, ...]:
    """Return every version of the installed adapter with that name."""
    point = _points().get(name)
    if point is None:
        return ()
    place = f"the adapter {name!r} ({point.value})"
    made = load_plugin(point, "the adapter", InputError, _instantiate)
    try:
        adapters = tuple(map(_check_complete, made))
    except InputError as error:
        raise InputError(f"{place}: {error}") from None
    for adapter in adapters:
        if adapter.name != name:
            raise InputError(
                f"{place} calls itself {adapter.name!r}: entry point and adapter have one name"
            )
    return adapters


def _instantiate(loaded: Any) -> list[Any]:
    several = loaded if isinstance(loaded, Sequence) else (loaded,)
    return [thing() if isinstance(thing, type) else thing for thing in several]
