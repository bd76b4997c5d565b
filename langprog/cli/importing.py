"""``langprog import``: a file of another tool as examples or as an artifact."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from pydantic_core import to_jsonable_python

from langprog.artifact import save
from langprog.cli.loading import allowed_modules, load_program_or_artifact
from langprog.cli.models import NamedModels
from langprog.cli.outputs import check_writable
from langprog.cli.terminal import Terminal
from langprog.errors import InputError
from langprog.interop import FORMATS, Format, Imported, format_to_read, write_file
from langprog.modules import Module

_READ = [name for name, format_ in FORMATS.items() if format_.read]


def import_file(
    path: Annotated[str, typer.Argument(metavar="FILE", help="The file of the other tool.")],
    from_: Annotated[str, typer.Option("--from", help=f"Its format: {', '.join(_READ)}.")],
    out: Annotated[str, typer.Option(help="Examples: a .jsonl file. A program: an artifact.")],
    program_out: Annotated[
        str | None, typer.Option("--program", help="Where the program goes that examples share.")
    ] = None,
    into: Annotated[
        str | None, typer.Option(help="The program or artifact that the file belongs to.")
    ] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="NAME=VALUE: an option of the format.")
    ] = None,
    allow: Annotated[
        list[str] | None, typer.Option(help="Module that may be imported for an artifact.")
    ] = None,
) -> None:
    """Read FILE of another tool: rows become examples, prompts and programs an artifact."""
    chosen = format_to_read(from_)
    options = read_options(set_ or [], chosen, "read")
    reads = {"FILE": path, "--into": into}
    target = check_writable(out, "--out", reads)
    program_target = (
        None if program_out is None else check_writable(program_out, "--program", reads)
    )
    program = _program(into, chosen, allow)
    assert chosen.read is not None
    imported = chosen.read(Path(path), program, options)
    if program_target is not None and (imported.program is None or not imported.examples):
        raise InputError(f"--program: {path} holds no program beside its rows; leave it out")
    terminal = Terminal()
    if imported.examples:
        _write_examples(terminal, imported, target)
        target = program_target or target
        if imported.program is not None and program_target is None:
            terminal.say("--program FILE also writes the prompt that all rows share")
    if imported.program is not None and (program_target or not imported.examples):
        digest = save(imported.program, target)
        terminal.say(f"wrote the program to {target} ({digest})")
    for note in imported.notes:
        terminal.say(f"note: {note}")


def _program(into: str | None, chosen: Format, allow: list[str] | None) -> Module | None:
    if chosen.into and into is None:
        raise InputError(
            f"--from {chosen.name} needs --into: the program or artifact that it belongs to"
        )
    if into is None:
        return None
    if not chosen.into:
        raise InputError(f"--from {chosen.name} takes no --into")
    return load_program_or_artifact(
        into, allowed_modules(allow), NamedModels.of(None, None, None), []
    )


def read_options(given: list[str], chosen: Format, verb: str) -> dict[str, str]:
    """Return the ``--set NAME=VALUE`` options of a format.

    Raises:
        InputError: One is not of that form, or the format has no such option.
    """
    known = chosen.options_of(verb)
    options: dict[str, str] = {}
    for each in given:
        name, equals, value = each.partition("=")
        if not equals:
            raise InputError(f"--set {each!r}: write NAME=VALUE")
        if name not in known:
            listed = "; ".join(f"{key} ({what})" for key, what in known.items()) or "none"
            raise InputError(f"--set: {chosen.name} has no option {name!r}; it has {listed}")
        options[name] = value
    return options


def _write_examples(terminal: Terminal, imported: Imported, target: Path) -> None:
    if target.suffix.lower() != ".jsonl":
        raise InputError(f"--out {target}: examples are written to a .jsonl file")
    rows = (
        json.dumps(to_jsonable_python(dict(row)), ensure_ascii=False) for row in imported.examples
    )
    write_file(target, "".join(f"{row}\n" for row in rows))
    columns = dict.fromkeys(name for row in imported.examples for name in row)
    terminal.say(f"wrote {len(imported.examples):,} examples to {target}: {', '.join(columns)}")
    if imported.metrics:
        first, *others = imported.metrics
        more = f" (or {', '.join(others)})" if others else ""
        terminal.say(f"score them with --metric {first}{more}")
