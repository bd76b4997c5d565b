"""``langprog port``: an artifact on another model: a test, and a compile only if it fails."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from langprog.artifact import read_artifact
from langprog.cli.compiling import check_accept, optimizer_named
from langprog.cli.console import open_progress_view
from langprog.cli.loading import (
    RETRIEVER_HELP,
    allowed_modules,
    load_metric,
    load_program_or_artifact,
    read_examples,
)
from langprog.cli.models import NamedModels
from langprog.cli.outputs import check_writable
from langprog.cli.terminal import Terminal, write_json
from langprog.cli.tools import MCP_HELP, TOOL_HELP, open_tools
from langprog.errors import InputError
from langprog.lm import Budget, LanguageModel
from langprog.runtime import LM
from optimizers import Ported, port
from optimizers.identity import data_digest, json_digest

Option = typer.Option
SOURCES = ("auto", "recorded", "live")


def port_artifact(  # noqa: PLR0913 - every parameter is an option of the command
    artifact: Annotated[str, typer.Argument(help="The artifact.")],
    to: Annotated[
        list[str],
        Option(help="The new model, provider/model; or OLD=provider/model for one of several."),
    ],
    data: Annotated[str, Option(help="Examples: JSONL, JSON, CSV or Parquet.")],
    metric: Annotated[str, Option(help="module:name, file.py:name, or exact, f1:field, ...")],
    out: Annotated[str, Option(help="Where the new artifact goes.")],
    tolerance: Annotated[float, Option(help="Mean score that may be lost.")] = 0.05,
    base_url: Annotated[
        str | None, Option(help="Address of the new model; its key comes from the environment.")
    ] = None,
    old: Annotated[
        str, Option(help="Scores on the old model: auto, recorded (in the artifact) or live.")
    ] = "auto",
    old_base_url: Annotated[str | None, Option(help="Address of the old model.")] = None,
    optimizer: Annotated[
        str, Option(help="What compiles if the test fails; none: the test alone.")
    ] = "compiler",
    accept: Annotated[
        str, Option(help="certified, or best: ship what was not shown, marked.")
    ] = "certified",
    journal: Annotated[
        str | None, Option(help="The run folder of the compile that made the artifact.")
    ] = None,
    calls: Annotated[int | None, Option(help="Cap on requests.")] = None,
    tokens: Annotated[int | None, Option(help="Cap on tokens.")] = None,
    dollars: Annotated[float | None, Option(help="Cap on dollars.")] = None,
    seconds: Annotated[float | None, Option(help="Cap on seconds.")] = None,
    seed: Annotated[int, Option(help="Random seed.")] = 0,
    run_dir: Annotated[str | None, Option(help="Journal; by default beside the artifact.")] = None,
    width: Annotated[int, Option(help="Examples processed concurrently.", min=1)] = 64,
    max_errors: Annotated[int, Option(help="Examples the metric may raise on.", min=0)] = 0,
    allow: Annotated[
        list[str] | None, Option(help="Module that may be imported for the artifact.")
    ] = None,
    retriever: Annotated[list[str] | None, Option(help=RETRIEVER_HELP)] = None,
    tool: Annotated[list[str] | None, Option(help=TOOL_HELP)] = None,
    mcp: Annotated[list[str] | None, Option(help=MCP_HELP)] = None,
    json_: Annotated[bool, Option("--json", help="The result as one JSON object.")] = False,
) -> int:
    """Carry ARTIFACT to another model; compile it there only if it loses.

    Exit code 1 if it was not shown that no more than the tolerance is lost. The same command
    continues a killed port, and pays for nothing twice.
    """
    what_ships = check_accept(accept)
    target = check_writable(out, "--out", {"--data": data, "--metric": metric})
    if old not in SOURCES:
        raise InputError(f"--old {old!r}: write {', '.join(SOURCES)}")
    models = read_targets(to, base_url)
    # What makes another port: the same one continues in its folder.
    content: list[Any] = [read_artifact(artifact).digest, sorted(to), base_url, old_base_url]
    content += [metric, tolerance, old, optimizer, seed]
    view = open_progress_view(as_json=False)
    try:
        with open_tools(tool, mcp) as tools:
            asked = NamedModels.of(None, None, old_base_url)
            program = load_program_or_artifact(
                artifact, allowed_modules(allow), asked, retriever or [], tools
            )
            examples = read_examples(data, "--data", program)
            ported = port(
                artifact,
                models,
                examples,
                metric=load_metric(metric),
                tolerance=tolerance,
                old=old,  # type: ignore[arg-type]  # checked above
                program=program,
                optimizer=(
                    None if optimizer == "none" else optimizer_named(optimizer, width=width)
                ),
                accept=what_ships,
                journal=journal,
                budget=Budget(calls=calls, tokens=tokens, dollars=dollars, seconds=seconds),
                run_dir=run_dir
                or target.with_suffix(".run") / json_digest([*content, data_digest(examples)]),
                seed=seed,
                concurrency=width,
                max_errors=max_errors,
                progress=view,
            )
    finally:
        view.close()
    saved = ported.save(target) if ported.shown or what_ships == "best" else None
    if json_:
        write_json({**ported.to_json(), "artifact": saved and str(target), "digest": saved})
    else:
        _print_result(ported, target if saved else None)
    return 0 if ported.shown else 1


def read_targets(
    options: list[str], base_url: str | None
) -> str | LanguageModel | dict[str, str | LanguageModel]:
    """Return the new model of ``--to``, or the new models by the names of the old ones.

    Raises:
        InputError: The options do not fit together.
    """

    def at_address(name: str) -> str | LanguageModel:
        return name if base_url is None else LM(name, base_url=base_url)

    if len(options) == 1 and "=" not in options[0]:
        return at_address(options[0])
    models: dict[str, str | LanguageModel] = {}
    for option in options:
        name, _, new = (part.strip() for part in option.partition("="))
        if not name or not new or name in models:
            raise InputError(
                f"--to {option!r}: write --to MODEL once, or --to OLD=MODEL once for each model "
                "that is replaced"
            )
        models[name] = at_address(new)
    return models


def _print_result(ported: Ported, target: Path | None) -> None:
    terminal = Terminal()
    for old, new in ported.replaced.items():
        terminal.say(f"{old} -> {new}", bold=True)
    terminal.pairs(ported.facts()[:-1])
    terminal.say(str(ported), bold=True)
    terminal.say(f"artifact {target}" if target else "no artifact was written")
