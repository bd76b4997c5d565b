"""``langprog edit``: change an artifact by hand and seal it again."""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer

from langprog.artifact import (
    Artifact,
    diff,
    read_artifact,
    read_changes,
    read_form,
    save,
    write_form,
)
from langprog.cli.loading import (
    RETRIEVER_HELP,
    allowed_modules,
    read_retrievers,
)
from langprog.cli.outputs import check_writable
from langprog.cli.terminal import Terminal
from langprog.cli.tools import MCP_HELP, TOOL_HELP, open_tools
from langprog.errors import InputError, LangprogError
from langprog.interop import read_text
from langprog.modules import Module

Option = typer.Option


def edit_artifact(
    artifact: Annotated[str, typer.Argument(help="The artifact.")],
    set_: Annotated[
        list[str] | None,
        Option("--set", help="PATH.NAME=VALUE, such as predict.instruction=...; may be repeated."),
    ] = None,
    form: Annotated[
        str | None, Option(help="An edited text to use in place of an editor.")
    ] = None,
    out: Annotated[str | None, Option(help="The new artifact; by default the same file.")] = None,
    allow: Annotated[
        list[str] | None, Option(help="Module that may be imported for the artifact.")
    ] = None,
    retriever: Annotated[list[str] | None, Option(help=RETRIEVER_HELP)] = None,
    tool: Annotated[list[str] | None, Option(help=TOOL_HELP)] = None,
    mcp: Annotated[list[str] | None, Option(help=MCP_HELP)] = None,
) -> None:
    """Edit ARTIFACT: with --set, or as a text in $EDITOR. Its certificate is void then."""
    if set_ and form is not None:
        raise InputError("give --set or --form, not both")
    target = check_writable(out or artifact, "--out" if out else "ARTIFACT")
    loaded = read_artifact(artifact)
    with open_tools(tool, mcp) as tools:
        program = loaded.program(
            allow_modules=allowed_modules(allow),
            retrievers=read_retrievers(retriever or []),
            tools=tools,
        )
        if set_:
            _write(loaded, program, read_changes(program, _read_set(set_)), target)
            return
        text = _edit(write_form(program), loaded.path) if form is None else read_text(form)
        try:
            _write(loaded, program, read_form(program, text), target)
        except LangprogError as error:
            if form is not None:
                raise
            kept = _keep(text, loaded.path)
            raise type(error)(
                f"{error}; nothing was changed, and your text is in {kept}: correct it, then "
                f"langprog edit {artifact} --form {kept}"
            ) from None


def _read_set(given: list[str]) -> dict[str, str]:
    values: dict[str, str] = {}
    for each in given:
        key, equals, value = each.partition("=")
        if not equals or not key:
            raise InputError(f"--set {each!r:.80}: write PATH.NAME=VALUE")
        if key in values:
            raise InputError(f"--set: {key!r:.80} is given twice")
        values[key] = value
    return values


def _edit(text: str, path: Path) -> str:
    """Return a text after the user has edited it.

    Raises:
        InputError: There is no editor, or it failed.
    """
    command = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"{path.stem}.txt"
        file.write_text(text, encoding="utf-8", newline="")
        try:
            done = subprocess.run([*shlex.split(command), str(file)], check=False)
        except (OSError, ValueError) as error:
            raise InputError(f"the editor {command!r:.80} cannot be started: {error}") from None
        if done.returncode != 0:
            raise InputError(
                f"the editor {command!r:.80} ended with {done.returncode}: nothing was changed"
            )
        return read_text(file)


def _keep(text: str, path: Path) -> Path:
    handle, name = tempfile.mkstemp(prefix=f"{path.stem}.edit.", suffix=".txt", dir=path.parent)
    with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
        file.write(text)
    return Path(name)


def _write(loaded: Artifact, program: Module, values: dict[str, Any], target: Path) -> None:
    terminal = Terminal()
    edited = program.with_parameters(values) if values else program
    difference = diff(program, edited)
    if not difference:
        terminal.say("nothing was changed, so nothing was written")
        return
    same_file = target.exists() and target.samefile(loaded.path)
    kept = loaded.path.read_bytes() if same_file and loaded.evidence is not None else None
    older = loaded.path.with_name(f"{loaded.path.stem}.{loaded.digest[7:15]}{loaded.path.suffix}")
    if kept is not None:
        older.write_bytes(kept)
    digest = save(edited, target)
    terminal.say(str(difference))
    void = "; its certificate is void" if loaded.evidence is not None else ""
    terminal.say(f"wrote {target} ({digest}), edited from {loaded.digest}{void}")
    if kept is not None:
        terminal.say(f"the certified artifact is kept in {older}")
