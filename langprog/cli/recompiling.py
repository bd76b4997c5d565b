"""``langprog recompile``: an artifact compiled again, from where it is."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from langprog.cli.compiling import Start, compile_from
from langprog.cli.shared_options import with_options_of
from langprog.errors import InputError


@with_options_of(compile_from)
def recompile_artifact(
    artifact: Annotated[str, typer.Argument(help="The artifact.")],
    journal: Annotated[
        str | None,
        typer.Option(
            help="Run folder of its compile, which answers what it has paid for; not if a model "
            "may have changed."
        ),
    ] = None,
    **options: Any,
) -> None:
    """Compile ARTIFACT again, starting from its instructions and demonstrations.

    The result has to be better than the artifact is, else the artifact's program ships again. No
    cache is used. Rows that its compiles chose by stay out of the holdout; another look at an
    earlier holdout counts as a further attempt. The same command continues a killed one.
    """
    if not Path(artifact).is_file():
        raise InputError(
            f"{artifact}: there is no such file; recompile takes an artifact, compile a program"
        )
    compile_from(artifact, Start(artifact, journal), **options)
