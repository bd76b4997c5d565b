"""The artifact that a program was loaded from, remembered across modified copies.

It is stored in an attribute of its own, which is not part of settings, parameters or comparisons.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from langprog.modules.containers import ModuleBase

M = TypeVar("M", bound=ModuleBase)

ORIGIN = "_artifact_origin"
"""The attribute."""


@dataclass(frozen=True, slots=True)
class Origin:
    """The artifact that a program was loaded from.

    Args:
        digest: Its digest.
        program: Digest of the program in it.
        lineage: Its own lineage, newest first, as plain data.
    """

    digest: str
    program: str
    lineage: tuple[Mapping[str, Any], ...] = ()


def origin_of(program: ModuleBase) -> Origin | None:
    """Return the artifact that a program, or its original, was loaded from."""
    origin = vars(program).get(ORIGIN)
    return origin if isinstance(origin, Origin) else None


def with_origin(program: M, origin: Origin) -> M:
    """Set the origin of a new program, and return the program."""
    object.__setattr__(program, ORIGIN, origin)
    return program


def keep_origin(program: ModuleBase, copy: ModuleBase) -> None:
    """Set a copy's origin to that of the program."""
    origin = origin_of(program)
    if origin is not None:
        object.__setattr__(copy, ORIGIN, origin)
