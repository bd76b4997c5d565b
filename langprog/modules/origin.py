"""Which artifact a program was loaded from, kept through its changed copies.

It stands beside what the user's module is: in one attribute of its own, in no setting, no
parameter and no comparison.
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
        lineage: Its own lineage, the newest first, as plain data.
    """

    digest: str
    program: str
    lineage: tuple[Mapping[str, Any], ...] = ()


def origin_of(program: ModuleBase) -> Origin | None:
    """Return the artifact that a program, or what it is a copy of, was loaded from."""
    origin = vars(program).get(ORIGIN)
    return origin if isinstance(origin, Origin) else None


def with_origin(program: M, origin: Origin) -> M:
    """Note on a program that was just made where it is from; returns it."""
    object.__setattr__(program, ORIGIN, origin)
    return program


def keep_origin(program: ModuleBase, copy: ModuleBase) -> None:
    """Note on a copy of a program what is noted on the program."""
    origin = origin_of(program)
    if origin is not None:
        object.__setattr__(copy, ORIGIN, origin)
