"""Modules that ask several samples, steps or models, as data and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from langprog.artifact.format import BestOfNode, CascadeNode, RouteNode, VoteNode
from langprog.modules import BestOf, Cascade, Module, Route, Vote

SeveralNode = VoteNode | BestOfNode | CascadeNode | RouteNode


def several_data(program: Module, parts: Mapping[str, dict[str, Any]]) -> dict[str, Any] | None:
    """Return such a module as plain JSON data; ``None`` where it is of another kind.

    Args:
        program: The module.
        parts: The modules inside as data, by name.
    """
    if type(program) is Vote:
        return {
            "module": "Vote",
            "asks": parts["module"],
            "k": program.k,
            "temperature": program.temperature,
            "voted_on": program.on,
            "keep": parts.get("keep"),
        }
    if type(program) is BestOf:
        return {
            "module": "BestOf",
            "generators": _listed(parts, "generators"),
            "judge": parts["judge"],
            "k": program.k,
            "temperature": program.temperature,
        }
    if type(program) is Cascade:
        return {
            "module": "Cascade",
            "steps": _listed(parts, "steps"),
            "tiers": [tier.to_json() for tier in program.tiers],
            "signal": program.signal.to_json(),
            "check": parts.get("check"),
        }
    if type(program) is Route:
        router = None if program.router is None else program.router.to_json()
        return {"module": "Route", "steps": _listed(parts, "steps"), "router": router}
    return None


def several_parts(node: SeveralNode) -> dict[str, Any]:
    """Return the nodes directly inside such a node, by name, as ``children()`` names them."""
    if isinstance(node, VoteNode):
        found = {"module": node.asks, "keep": node.keep}
    elif isinstance(node, BestOfNode):
        found = {**_named(node.generators, "generators"), "judge": node.judge}
    elif isinstance(node, CascadeNode):
        found = {**_named(node.steps, "steps"), "check": node.check}
    else:
        found = dict(_named(node.steps, "steps"))
    return {name: part for name, part in found.items() if part is not None}


def several_from(node: SeveralNode, parts: Mapping[str, Module]) -> Module:
    """Rebuild such a module.

    Raises:
        InputError: The data describes none.
    """
    if isinstance(node, VoteNode):
        return Vote(
            parts["module"],
            k=node.k,
            temperature=node.temperature,
            on=node.voted_on,
            keep=parts.get("keep"),
        )
    if isinstance(node, BestOfNode):
        return BestOf(
            _listed(parts, "generators"),
            judge=parts["judge"],
            k=node.k,
            temperature=node.temperature,
        )
    steps = _listed(parts, "steps")
    if isinstance(node, CascadeNode):
        return Cascade(steps, tiers=node.tiers, signal=node.signal, check=parts.get("check"))
    return Route(steps, router=node.router)


def several_settings(node: SeveralNode) -> dict[str, Any]:
    """Return what such a module is set to, without the modules inside."""
    inside = {"module", "asks", "keep", "generators", "judge", "steps", "check"}
    return node.model_dump(exclude=inside)


def _named(nodes: list[Any], name: str) -> dict[str, Any]:
    return {f"{name}[{place}]": node for place, node in enumerate(nodes)}


def _listed(parts: Mapping[str, Any], name: str) -> list[Any]:
    return [part for key, part in parts.items() if key.startswith(f"{name}[")]
