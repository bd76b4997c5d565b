"""``langprog programs``: the ready-made programs, by name."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from langprog.cli.terminal import Terminal, write_json
from programs import list_programs


def list_ready(
    json_: Annotated[bool, typer.Option("--json", help="One JSON array.")] = False,
) -> None:
    """List the ready-made programs: name, what each is for, what it needs.

    Compile one with ``langprog compile programs.NAME:program --out NAME.json``; it has a metric
    and examples of its own, which ``--metric`` and ``--train`` replace.
    """
    infos = list_programs()
    if json_:
        write_json([asdict(info) for info in infos])
        return
    rows = [(info.name, info.summary, ", ".join(info.needs)) for info in infos]
    Terminal().table(("name", "what it is for", "needs"), rows)
