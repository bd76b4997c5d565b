"""``langprog show``: the contents of an artifact."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from langprog.artifact import Artifact, read_artifact
from langprog.cli.calls import show_calls
from langprog.cli.evidence_text import describe_evidence, describe_models, describe_origin
from langprog.cli.loading import RETRIEVER_HELP, allowed_modules, read_retrievers
from langprog.cli.program_text import Section, describe_program
from langprog.cli.shortening import Shortener
from langprog.cli.terminal import Terminal, write_json
from langprog.cli.tools import MCP_HELP, TOOL_HELP, open_tools
from langprog.errors import ArtifactError, InputError
from langprog.runtime import LOG_VARIABLE


def show(  # noqa: PLR0913 - every parameter is an option of the command
    artifact: Annotated[
        str, typer.Argument(help="The artifact; with --last, how many calls.", show_default=False)
    ] = "",
    last: Annotated[
        bool, typer.Option("--last", help="The last model and tool calls of a log.")
    ] = False,
    log: Annotated[
        str | None, typer.Option(help="The log of --last; $LANGPROG_LOG by default.")
    ] = None,
    allow: Annotated[
        list[str] | None, typer.Option(help="Module that may be imported for the artifact.")
    ] = None,
    retriever: Annotated[list[str] | None, typer.Option(help=RETRIEVER_HELP)] = None,
    tool: Annotated[list[str] | None, typer.Option(help=TOOL_HELP)] = None,
    mcp: Annotated[list[str] | None, typer.Option(help=MCP_HELP)] = None,
    full: Annotated[bool, typer.Option("--full", help="Long texts and lists, uncut.")] = False,
    json_: Annotated[bool, typer.Option("--json", help="The whole file as JSON.")] = False,
) -> None:
    """Show the program, its prompts, its models and the evidence for it.

    With --last [N]: the last N calls of the log of a process that ran with LANGPROG_LOG=FILE.
    """
    texts = Shortener(full=full)
    if last:
        show_calls(artifact or "1", log or os.environ.get(LOG_VARIABLE, ""), texts, as_json=json_)
        return
    if not artifact:
        raise InputError("name an artifact, or use --last for the last calls of a log")
    loaded = read_artifact(artifact)
    if json_:
        write_json(loaded.data.model_dump(mode="json", by_alias=True))
        return
    terminal = Terminal()
    terminal.say(f"{loaded.path}  {loaded.digest}")
    terminal.say(f"format {loaded.format}, written by langprog {loaded.data.langprog}")
    retrievers = read_retrievers(retriever or [])
    try:
        with open_tools(tool, mcp) as tools:
            loaded.program(
                allow_modules=allowed_modules(allow), retrievers=retrievers, tools=tools
            )
    except ArtifactError as error:
        terminal.say(f"\n{error}")
    for section in describe_program(loaded.data.program, texts):
        _show_section(terminal, section)
    for section in describe_models(loaded):
        _show_section(terminal, section)
    _show_origin(terminal, loaded)
    _show_evidence(terminal, loaded, texts)
    if texts.has_cut:
        terminal.say("\nLong texts are cut: --full shows them.")


def _show_section(terminal: Terminal, section: Section) -> None:
    terminal.say()
    terminal.say(section.title, bold=True)
    terminal.pairs(section.rows)


def _show_origin(terminal: Terminal, artifact: Artifact) -> None:
    lines = list(describe_origin(artifact))
    if not lines:
        return
    terminal.say()
    terminal.say("lineage", bold=True)
    for line in lines:
        terminal.say(line)


def _show_evidence(terminal: Terminal, artifact: Artifact, texts: Shortener) -> None:
    if artifact.evidence is not None:
        for section in describe_evidence(artifact.evidence, texts):
            _show_section(terminal, section)
        return
    lineage = artifact.data.lineage
    terminal.say()
    if lineage and lineage[0].how == "edited":
        terminal.say(f"edited, certificate void: that of {lineage[0].digest} does not hold")
    else:
        terminal.say("no evidence: this program was not compiled, or has changed since")
