"""Starting from an artifact: its program, and the calls of the compile that made it."""

from __future__ import annotations

import os

from langprog import Module
from langprog.artifact import Artifact, read_artifact
from langprog.errors import InputError
from langprog.modules import origin_of


def read_start(artifact: object, what: str) -> Artifact:
    """Read the artifact that a port or a recompile starts from.

    Args:
        artifact: Its path.
        what: Name of the function, for messages.

    Raises:
        InputError: It is not a path.
        ArtifactError: The artifact cannot be read.
    """
    if isinstance(artifact, Module):
        raise InputError(
            f"{what} takes the artifact's path, as its evidence counts, too; pass the loaded "
            "program as program=, if it needs classes or tools"
        )
    if not isinstance(artifact, (str, os.PathLike)):
        raise InputError(f"artifact is a {type(artifact).__name__}: pass the path of an artifact")
    return read_artifact(artifact)


def program_of(artifact: Artifact, program: Module | None) -> Module:
    """Return an artifact's program, as it was loaded where that takes more than the file.

    Args:
        artifact: The artifact.
        program: What :func:`langprog.load` returned for it; ``None`` loads it here.

    Raises:
        InputError: It is another program.
        ArtifactError: The program needs more than the file.
    """
    if program is None:
        return artifact.program()
    origin = origin_of(program) if isinstance(program, Module) else None
    if origin is None or origin.digest != artifact.digest:
        raise InputError(
            f"program= is not the program of {artifact.path}: pass what lp.load returned for it"
        )
    return program
