"""The artifacts that a program was made from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import langprog
from langprog.artifact.digest import digest_of
from langprog.modules import Module, origin_of


def list_parents(
    program: Module, node: Mapping[str, Any], optimizer: str | None
) -> list[Mapping[str, Any]]:
    """Return the artifacts that a program was made from, newest first.

    Args:
        program: The program.
        node: The program as data.
        optimizer: The optimizer that made it; ``None`` without a compile.
    """
    origin = origin_of(program)
    if origin is None or origin.digest is None:
        return []
    how = "saved" if _digest(node) == origin.program else "edited"
    parent = {
        "digest": origin.digest,
        "how": how if optimizer is None else "compiled",
        "optimizer": optimizer,
        "langprog": langprog.__version__,
    }
    return [parent, *origin.lineage]


def _digest(node: Mapping[str, Any]) -> str:
    try:
        return digest_of(node)
    except (TypeError, ValueError):  # reported when it is written
        return ""
