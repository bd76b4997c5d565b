"""The compiles that a program has been through, with those of its parts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from langprog.modules.base import Module
from langprog.modules.origin import origin_of


def list_compiles(program: Module) -> list[Mapping[str, Any]]:
    """Return the compiles that a program and its parts have been through, newest first."""
    compiles: list[Mapping[str, Any]] = []
    for module in program.named_modules().values():
        origin = origin_of(module)
        if origin is not None:
            compiles += [record for record in origin.compiles if record not in compiles]
    return compiles
