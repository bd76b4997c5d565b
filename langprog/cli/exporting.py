"""``langprog export``: an artifact as a file of another tool."""

from __future__ import annotations

from typing import Annotated

import typer

from langprog.artifact import read_artifact
from langprog.cli.importing import read_options
from langprog.cli.loading import (
    RETRIEVER_HELP,
    allowed_modules,
    check_writable,
    read_retrievers,
)
from langprog.cli.terminal import Terminal
from langprog.cli.tools import MCP_HELP, TOOL_HELP, open_tools
from langprog.interop import format_to_write, write_file


def export_artifact(
    artifact: Annotated[str, typer.Argument(help="The artifact.")],
    as_: Annotated[str, typer.Option("--as", help="The format; a wrong name lists them.")],
    out: Annotated[str, typer.Option(help="The file to write.")],
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="NAME=VALUE: an option of the format.")
    ] = None,
    allow: Annotated[
        list[str] | None, typer.Option(help="Module that may be imported for the artifact.")
    ] = None,
    retriever: Annotated[list[str] | None, typer.Option(help=RETRIEVER_HELP)] = None,
    tool: Annotated[list[str] | None, typer.Option(help=TOOL_HELP)] = None,
    mcp: Annotated[list[str] | None, typer.Option(help=MCP_HELP)] = None,
) -> None:
    """Write ARTIFACT as a file of another tool."""
    chosen = format_to_write(as_)
    options = read_options(set_ or [], chosen, "write")
    target = check_writable(out, "--out")
    loaded = read_artifact(artifact)
    with open_tools(tool, mcp) as tools:
        program = loaded.program(
            allow_modules=allowed_modules(allow),
            retrievers=read_retrievers(retriever or []),
            tools=tools,
        )
        assert chosen.write is not None
        exported = chosen.write(program, options)
    write_file(target, exported.text)
    terminal = Terminal()
    terminal.say(f"wrote {chosen.what} to {target}")
    for note in exported.notes:
        terminal.say(f"note: {note}")
