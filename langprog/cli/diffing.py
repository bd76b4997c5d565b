"""``langprog diff``: what differs between two artifacts or programs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from langprog.artifact import Artifact, diff, read_artifact
from langprog.cli.loading import allowed_modules, load_program
from langprog.cli.terminal import Terminal, write_json
from langprog.modules import Module


def show_difference(
    first: Annotated[str, typer.Argument(help="An artifact, or package.module:name.")],
    second: Annotated[str, typer.Argument(help="Another one.")],
    allow: Annotated[
        list[str] | None, typer.Option(help="Module that may be imported for an artifact.")
    ] = None,
    json_: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Show what differs between two artifacts: words, demonstrations, models, evidence."""
    allowed = allowed_modules(allow)
    difference = diff(_side(first), _side(second), allow_modules=allowed)
    if json_:
        write_json(difference.to_json())
        return
    terminal = Terminal()
    terminal.say(f"{first} -> {second}", bold=True)
    terminal.say(str(difference))


def _side(reference: str) -> Artifact | Module:
    if ":" in reference and not Path(reference).is_file():
        return load_program(reference)
    return read_artifact(reference)
