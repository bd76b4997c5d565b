"""``langprog export``: an artifact as a file of another tool."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Annotated

import typer

from langprog.artifact import read_artifact
from langprog.cli.importing import read_options
from langprog.cli.loading import (
    RETRIEVER_HELP,
    allowed_modules,
    load_metric,
    read_examples,
    read_retrievers,
)
from langprog.cli.models import BASE_URL_HELP, LM_HELP, MODEL_HELP, NamedModels
from langprog.cli.outputs import check_writable
from langprog.cli.replaying import FromBatch, FromJournal, read_answers
from langprog.cli.terminal import Terminal
from langprog.cli.tools import MCP_HELP, TOOL_HELP, open_tools
from langprog.errors import InputError
from langprog.evaluation import Report, evaluate
from langprog.interop import FORMATS, Format, format_to_write, write_file
from langprog.lm import Budget, LanguageModel
from langprog.modules import Module
from langprog.runtime import using
from optimizers.journal import EarlierCalls

Option = typer.Option
_WRITTEN = [name for name, format_ in FORMATS.items() if format_.write]


@dataclass(frozen=True)
class _Runs:
    """Where the runs of a program come from."""

    data: str | None
    metric: str | None
    run_dir: str | None
    batch: str | None
    budget: Budget
    width: int


def export_artifact(  # noqa: PLR0913 - every parameter is an option of the command
    artifact: Annotated[str, typer.Argument(help="The artifact.")],
    as_: Annotated[str, Option("--as", help=f"The format: {', '.join(_WRITTEN)}.")],
    out: Annotated[str, Option(help="The file to write.")],
    set_: Annotated[
        list[str] | None, Option("--set", help="NAME=VALUE: an option of the format.")
    ] = None,
    data: Annotated[str | None, Option(help="Rows to run, for fine-tuning.")] = None,
    metric: Annotated[str | None, Option(help="Accepts runs, as for eval.")] = None,
    run_dir: Annotated[
        str | None, Option(help="Take the runs from this compile's journal; nothing is called.")
    ] = None,
    batch: Annotated[
        str | None, Option(help="Take the runs from these results of a batch over --data.")
    ] = None,
    lm: Annotated[str | None, Option(help=LM_HELP)] = None,
    model: Annotated[list[str] | None, Option(help=MODEL_HELP)] = None,
    base_url: Annotated[str | None, Option(help=BASE_URL_HELP)] = None,
    calls: Annotated[int | None, Option(help="Cap on requests.")] = None,
    dollars: Annotated[float | None, Option(help="Cap on dollars.")] = None,
    width: Annotated[int, Option(help="Examples processed concurrently.", min=1)] = 64,
    allow: Annotated[
        list[str] | None, Option(help="Module that may be imported for the artifact.")
    ] = None,
    retriever: Annotated[list[str] | None, Option(help=RETRIEVER_HELP)] = None,
    tool: Annotated[list[str] | None, Option(help=TOOL_HELP)] = None,
    mcp: Annotated[list[str] | None, Option(help=MCP_HELP)] = None,
) -> None:
    """Write ARTIFACT as a file of another tool."""
    chosen = format_to_write(as_)
    options = read_options(set_ or [], chosen, "write")
    runs = _Runs(data, metric, run_dir, batch, Budget(calls=calls, dollars=dollars), width)
    _check_runs(chosen, runs)
    target = check_writable(
        out,
        "--out",
        {"ARTIFACT": artifact, "--data": data, "--metric": metric, "--batch": batch},
    )
    loaded = read_artifact(artifact)
    asked = NamedModels.of(lm, model, base_url)
    with open_tools(tool, mcp) as tools:
        program = loaded.program(
            allow_modules=allowed_modules(allow),
            models=asked.replacements_for(loaded.model_names),
            retrievers=read_retrievers(retriever or []),
            tools=tools,
        )
        asked.check_lm(program)
        with using(lm=asked.ambient):
            report = _run(program, runs) if chosen.runs else None
            assert chosen.write is not None
            exported = chosen.write(program, options, report)
    write_file(target, exported.text)
    terminal = Terminal()
    terminal.say(f"wrote {chosen.what} to {target}")
    for note in exported.notes:
        terminal.say(f"note: {note}")


def _check_runs(chosen: Format, runs: _Runs) -> None:
    given = {
        "data": runs.data,
        "metric": runs.metric,
        "run-dir": runs.run_dir,
        "batch": runs.batch,
    }
    if not chosen.runs:
        for name, value in given.items():
            if value is not None:
                raise InputError(f"--{name} is not for --as {chosen.name}")
    elif runs.data is None or runs.metric is None:
        raise InputError(f"--as {chosen.name} needs --data and --metric: it is made of good runs")
    elif runs.run_dir is not None and runs.batch is not None:
        raise InputError("take the runs from --run-dir or from --batch, not from both")


def _run(program: Module, runs: _Runs) -> Report:
    """Evaluate a program, on its models or on what is on record."""
    assert runs.data is not None and runs.metric is not None
    examples = read_examples(runs.data, "--data", program)
    wrap: Callable[[LanguageModel], LanguageModel] | None = None
    if runs.run_dir is not None:
        wrap = partial(FromJournal, calls=EarlierCalls(runs.run_dir))
    elif runs.batch is not None:
        wrap = partial(FromBatch, answers=read_answers(program, examples, runs.batch))
    with using(wrap=wrap):
        return evaluate(
            program,
            examples,
            load_metric(runs.metric),
            concurrency=runs.width,
            budget=runs.budget,
        )
