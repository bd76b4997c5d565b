"""Where a program is from, remembered across modified copies: an artifact, and compiles.

It is stored in an attribute of its own, which is not part of settings, parameters or comparisons.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from langprog.modules.containers import ModuleBase

M = TypeVar("M", bound=ModuleBase)

ORIGIN = "_artifact_origin"
"""The attribute."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a program is from.

    Args:
        digest: Digest of the artifact that it was loaded from; ``None`` if there is none.
        program: Digest of the program in it.
        lineage: That artifact's own lineage, newest first, as plain data.
        compiles: Records of the compiles that the program has been through, newest first, as
            plain data.
    """

    digest: str | None = None
    program: str | None = None
    lineage: tuple[Mapping[str, Any], ...] = ()
    compiles: tuple[Mapping[str, Any], ...] = ()


def origin_of(program: ModuleBase) -> Origin | None:
    """Return where a program, or its original, is from; ``None`` if nothing is known."""
    origin = vars(program).get(ORIGIN)
    return origin if isinstance(origin, Origin) else None


def with_origin(program: M, origin: Origin) -> M:
    """Set the origin of a new program, and return the program."""
    object.__setattr__(program, ORIGIN, origin)
    return program


def add_compile(program: M, record: Mapping[str, Any]) -> M:
    """Add the record of a compile to the origin of a new program, and return the program."""
    origin = origin_of(program) or Origin()
    return with_origin(program, replace(origin, compiles=(record, *origin.compiles)))


def keep_origin(program: ModuleBase, copy: ModuleBase) -> None:
    """Set a copy's origin to that of the program."""
    origin = origin_of(program)
    if origin is not None:
        object.__setattr__(copy, ORIGIN, origin)
