"""Upgrading older formats of the artifact, one step at a time.

``from_1`` upgrades format 1 to format 2, and so on: a format that was ever written stays readable.
A step receives unchecked data; it leaves anything unexpected unchanged, for the newest format's
validation to reject.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from langprog.artifact.migrations import from_1, from_2

STEPS: Mapping[int, Callable[[dict[str, Any]], dict[str, Any]]] = MappingProxyType(
    {1: from_1.migrate, 2: from_2.migrate}
)
"""Each step, by the format from which it upgrades."""


def migrate(data: dict[str, Any]) -> dict[str, Any]:
    """Return an artifact's data in the newest format, without changing ``data``.

    Args:
        data: The content of a file of any format, with its digest already checked. The digest
            stays that of the file.
    """
    while (step := STEPS.get(data["format"])) is not None:
        data = step(data)
    return data


__all__ = ["STEPS", "migrate"]
