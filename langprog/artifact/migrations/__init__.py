"""From older formats of the artifact to the newest, one step at a time.

``from_1`` brings data of format 1 to format 2, and so on: a format that was written once is read
for ever. A step gets data that nobody has checked yet; what is not as its format has it, it leaves
alone for the newest format's checks to refuse.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from langprog.artifact.migrations import from_1

STEPS: Mapping[int, Callable[[dict[str, Any]], dict[str, Any]]] = MappingProxyType(
    {1: from_1.migrate}
)
"""Each step by the format that it starts from."""


def migrate(data: dict[str, Any]) -> dict[str, Any]:
    """Return an artifact's data in the newest format; ``data`` itself stays as it is.

    Args:
        data: A whole file of any format, its digest checked before. The digest stays that of the
            file.
    """
    while (step := STEPS.get(data["format"])) is not None:
        data = step(data)
    return data


__all__ = ["STEPS", "migrate"]
