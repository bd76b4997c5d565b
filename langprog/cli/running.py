"""``langprog run``: an artifact on one input, or on a file of any size."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from pydantic_core import to_jsonable_python

from langprog.artifact import read_artifact
from langprog.batch import Batch, BatchDone, ProgramInputs, check_order, run_batch
from langprog.cli.counting import batch_shower
from langprog.cli.loading import RETRIEVER_HELP, allowed_modules, check_writable, read_retrievers
from langprog.cli.models import BASE_URL_HELP, LM_HELP, MODEL_HELP, NamedModels
from langprog.cli.streaming import write_events
from langprog.cli.terminal import Terminal, write_json
from langprog.cli.tools import MCP_HELP, TOOL_HELP, open_tools
from langprog.errors import InputError
from langprog.lm import Budget
from langprog.runtime import run_sync, using

Option = typer.Option


def run_artifact(  # noqa: PLR0913 - every parameter is an option of the command
    artifact: Annotated[str, typer.Argument(help="The artifact.")],
    input_: Annotated[str | None, Option("--input", help="The inputs as a JSON object.")] = None,
    batch: Annotated[str | None, Option(help="Rows: JSONL, CSV, TSV or Parquet.")] = None,
    out: Annotated[str | None, Option(help="Results of a batch, in any of these formats.")] = None,
    format_: Annotated[
        str | None,
        Option("--format", help="Format of IN, and of OUT if its suffix says none."),
    ] = None,
    keep: Annotated[
        str | None, Option(help="Columns to copy to OUT, A,B,...; id always is.")
    ] = None,
    order: Annotated[
        str, Option(help="arrival: as rows are done; input: as they are in IN.")
    ] = "arrival",
    retry_failed: Annotated[
        bool,
        Option("--retry-failed", help="Retry all failed rows, not only those that never arrived."),
    ] = False,
    lm: Annotated[str | None, Option(help=LM_HELP)] = None,
    model: Annotated[list[str] | None, Option(help=MODEL_HELP)] = None,
    base_url: Annotated[str | None, Option(help=BASE_URL_HELP)] = None,
    calls: Annotated[int | None, Option(help="Maximum number of requests.")] = None,
    dollars: Annotated[float | None, Option(help="Most dollars.")] = None,
    width: Annotated[int, Option(help="Rows processed concurrently.", min=1)] = 64,
    allow: Annotated[
        list[str] | None, Option(help="Module that may be imported for the artifact.")
    ] = None,
    retriever: Annotated[list[str] | None, Option(help=RETRIEVER_HELP)] = None,
    tool: Annotated[list[str] | None, Option(help=TOOL_HELP)] = None,
    mcp: Annotated[list[str] | None, Option(help=MCP_HELP)] = None,
    stream: Annotated[
        bool,
        Option("--stream", help="Print the events of --input as JSON lines while it runs."),
    ] = False,
) -> int:
    """Run ARTIFACT on one input, or on a file of any size.

    Every input row gives one output row, a result or a failure. The same command continues a
    stopped batch, and retries rows where the endpoint failed. Exit code 1: rows failed.
    """
    if (input_ is None) == (batch is None):
        raise InputError("give either --input JSON, or --batch IN together with --out OUT")
    if stream and input_ is None:
        raise InputError("--stream is for --input, not for --batch")
    if input_ is not None:
        for option, value in (("out", out), ("format", format_), ("keep", keep)):
            if value is not None:
                raise InputError(f"--{option} is for --batch, not for --input")
    loaded = read_artifact(artifact)
    asked = NamedModels.of(lm, model, base_url)
    models = asked.replacements_for(loaded.model_names)
    with open_tools(tool, mcp) as tools:
        program = loaded.program(
            allow_modules=allowed_modules(allow),
            models=models,
            retrievers=read_retrievers(retriever or []),
            tools=tools,
        )
        asked.check_lm(program)
        budget = Budget(calls=calls, dollars=dollars)
        with using(lm=asked.ambient):
            if input_ is not None:
                with using(budget=budget):
                    inputs = ProgramInputs(program).read(input_, "--input")
                    if stream:
                        write_events(program.stream(**inputs))
                    else:
                        write_json(to_jsonable_python(program(**inputs).to_dict()))
                return 0
            if batch is None or out is None:
                raise InputError("--batch IN needs --out OUT")
            task = Batch(
                program,
                Path(batch),
                check_writable(out, "--out"),
                f"{loaded.digest} {lm}{asked.description}",
                width=width,
                format=format_,
                keep=tuple(name.strip() for name in (keep or "").split(",") if name.strip()),
                order=check_order(order),
                retry_failed=retry_failed,
                budget=budget,
            )
            done = _run(task)
    _say(done, out)
    return 1 if done.failed or done.stopped else 0


def _run(task: Batch) -> BatchDone:
    show = batch_shower()
    try:
        return run_sync(run_batch(task, show.on))
    finally:
        show.close()


def _say(done: BatchDone, out: str) -> None:
    terminal = Terminal(stderr=True)
    earlier = f", {done.earlier:,} already there" if done.earlier else ""
    cost = f", ${done.dollars:.4f}" if done.dollars else ""
    terminal.say(f"{done.written:,} rows written{earlier}, {done.failed:,} failed{cost}")
    for kind, message in done.first.items():
        if message not in done.stopped:
            terminal.say(f"first {kind} failure: {message}")
    if done.stopped:
        terminal.say(f"langprog: stopped: {done.stopped}")
        place = f" (results so far: {done.unfinished})" if done.unfinished else ""
        terminal.say(f"the same command continues{place}")
    elif done.again:
        terminal.say(f"the same command retries {done.again:,} of them")
    if done.failed > done.again:
        terminal.say(f"--retry-failed retries every failed row of {out}")
