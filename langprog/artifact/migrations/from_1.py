"""Format 1 to 2: adapter versions, all sampling settings, more about models, a lineage.

In format 1, an adapter's first version was implicit, newer sampling settings were omitted if
unset, and a model's entry had neither its name nor its dialect.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

_UNVERSIONED = re.compile(r"[A-Za-z0-9][\w.-]*", re.ASCII)
_LATER = ("reasoning_effort", "extra")


def migrate(data: dict[str, Any]) -> dict[str, Any]:
    """Return data of format 1 as data of format 2."""
    new = {"format": 2, **{name: value for name, value in data.items() if name != "format"}}
    if "program" in data:
        new["program"] = _node(data["program"])
    models = data.get("models")
    if isinstance(models, dict):
        new["models"] = {name: _line(name, line) for name, line in models.items()}
    return {"lineage": [], **new}


def _line(name: str, line: Any) -> Any:
    if not isinstance(line, dict):
        return line
    prices = dict.fromkeys(("endpoint", "input", "output", "cached_input", "price_source"))
    return {"name": name, **prices, "schema": None, "refused": [], **line}


def _node(node: Any) -> Any:
    """Migrate a part of the program's tree, with everything in it that may be a module."""
    if isinstance(node, list):
        return [_node(part) for part in node]
    if not isinstance(node, dict):
        return node
    # The content of signatures, demonstrations and settings is never a module.
    if node.get("module") == "Predict":
        return _change(node, adapter=_adapter, sampling=_sampling)
    if node.get("module") == "user":
        return _change(node, parameters=_parameters, parts=_node)
    return {key: _node(value) for key, value in node.items()}


def _change(node: dict[str, Any], **changes: Callable[[Any], Any]) -> dict[str, Any]:
    return {key: changes[key](value) if key in changes else value for key, value in node.items()}


def _adapter(reference: Any) -> Any:
    plain = isinstance(reference, str) and reference != "auto"
    return f"{reference}@1" if plain and _UNVERSIONED.fullmatch(reference) else reference


def _sampling(settings: Any) -> Any:
    if not isinstance(settings, dict):
        return settings
    # In the present order, which a program's digest covers.
    first = {name: value for name, value in settings.items() if name not in _LATER}
    return {**first, **{name: settings.get(name) for name in _LATER}}


def _parameters(parameters: Any) -> Any:
    if not isinstance(parameters, dict):
        return parameters
    return {name: _parameter(parameter) for name, parameter in parameters.items()}


def _parameter(parameter: Any) -> Any:
    if not isinstance(parameter, dict) or "value" not in parameter:
        return parameter
    if parameter.get("kind") == "adapter":
        return {**parameter, "value": _adapter(parameter["value"])}
    if parameter.get("kind") == "sampling":
        return {**parameter, "value": _sampling(parameter["value"])}
    return parameter
