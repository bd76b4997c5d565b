"""Finding the class for a kind of node: built-in ones by name, others by entry point.

A kind of module is a class with its own ``node``. Built-in ones are public names of this package.
A third-party package adds one in its ``pyproject.toml``, under the name in its node's ``module``::

    [project.entry-points."langprog.modules"]
    Debate = "debating:Debate"

It is imported when an artifact contains such a node, or when such a module is saved.
"""

from __future__ import annotations

import sys
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any, cast, get_args

from langprog.errors import ArtifactError
from langprog.modules.containers import ModuleBase
from langprog.plugins import load_plugin

if TYPE_CHECKING:
    from langprog.modules.base import Module
    from langprog.modules.node import Node

GROUP = "langprog.modules"
# Kinds of ours outside this package, which need another library.
_AROUND_OTHERS = (
    EntryPoint("DSPyPredict", "langprog.interop.dspy.predictor:DSPyPredict", GROUP),
    EntryPoint("DSPyProgram", "langprog.interop.dspy.program:DSPyProgram", GROUP),
)


def kinds() -> list[str]:
    """Return all kinds of modules, built-in ones first; imports nothing."""
    ours = _own_kinds()
    return [*ours, *sorted({point.name for point in _entry_points()} - ours.keys())]


def node_type(kind: str) -> type[Node] | None:
    """Return the node type for a kind of module; ``None`` if the kind is unknown.

    Raises:
        ArtifactError: The package that provides the kind cannot be imported, or is invalid.
    """
    cls = module_type(kind)
    return None if cls is None else cls.node


def module_type(kind: str) -> type[Module] | None:
    """Return the class for a kind of module; ``None`` if the kind is unknown.

    Raises:
        ArtifactError: The package that provides the kind cannot be imported, or is invalid.
    """
    ours = _own_kinds().get(kind)
    if ours is not None:
        return ours
    points = {point.value: point for point in _entry_points(kind)}
    if len(points) > 1:
        raise ArtifactError(
            f"two packages provide the kind of module {kind!r}, {' and '.join(sorted(points))}: "
            "uninstall one of them"
        )
    return next((_load(point) for point in points.values()), None)


def is_kind(cls: type[Module]) -> bool:
    """Return whether a class is a kind of module; otherwise it is a user's own class.

    Raises:
        ArtifactError: The package that provides the kind cannot be imported, or is invalid.
    """
    node = vars(cls).get("node")
    return node is not None and module_type(kind_of(node)) is cls


def kind_of(node: Any) -> str:
    """Return the kind in a node type's ``module`` field; empty if there is none."""
    field = getattr(node, "model_fields", {}).get("module")
    named = () if field is None else get_args(field.annotation)
    return next((str(name) for name in named if len(named) == 1), "")


def _own_kinds() -> dict[str, type[Module]]:
    package = sys.modules[__package__]
    public = {name: getattr(package, name) for name in package.__all__}
    return {
        name: cast("type[Module]", value)
        for name, value in public.items()
        if isinstance(value, type) and issubclass(value, ModuleBase) and vars(value).get("node")
    }


def _entry_points(kind: str | None = None) -> tuple[EntryPoint, ...]:
    if kind is None:
        return (*_AROUND_OTHERS, *entry_points(group=GROUP))
    ours = (point for point in _AROUND_OTHERS if point.name == kind)
    return (*ours, *entry_points(group=GROUP, name=kind))


def _load(point: EntryPoint) -> type[Module]:
    cls = load_plugin(point, "the kind of module", ArtifactError)
    fits = isinstance(cls, type) and issubclass(cls, ModuleBase)
    if not fits or kind_of(vars(cls).get("node")) != point.name:
        raise ArtifactError(
            f"{point.value} is not the kind of module {point.name!r}: that is an lp.Module class "
            f"with a node whose field 'module' is Literal[{point.name!r}]"
        )
    provided: type[Module] = cls
    return provided
