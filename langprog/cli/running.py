"""``langprog run``: an artifact on one input, or on a file of any size."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic_core import to_jsonable_python

from langprog.artifact import read_artifact
from langprog.batch import (
    Batch,
    BatchDone,
    ProgramInputs,
    ProviderBatches,
    cancel_batches,
    check_order,
    run_batch,
)
from langprog.cli.counting import StatusLines, batch_shower
from langprog.cli.engines import WORKERS_HELP, engine_of
from langprog.cli.loading import RETRIEVER_HELP, allowed_modules, read_retrievers
from langprog.cli.models import BASE_URL_HELP, LM_HELP, MODEL_HELP, NamedModels
from langprog.cli.outputs import check_writable
from langprog.cli.streaming import write_events
from langprog.cli.terminal import Terminal, write_json
from langprog.cli.tools import MCP_HELP, TOOL_HELP, open_tools
from langprog.errors import InputError
from langprog.lm import Budget
from langprog.modules import Module
from langprog.runtime import run_sync, using

Option = typer.Option
ENGINES = ("local", "provider", "ray")


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
    calls: Annotated[int | None, Option(help="Cap on requests.")] = None,
    dollars: Annotated[float | None, Option(help="Cap on dollars.")] = None,
    width: Annotated[
        int | None,
        Option(
            help="Rows processed concurrently: 64 by default; with --engine provider, 10,000 "
            "(1,000 if the program has a synchronous forward).",
            min=1,
        ),
    ] = None,
    engine: Annotated[
        str,
        Option(
            help="local: call models directly; ray: run rows on Ray workers; provider: send "
            "requests as batches of the provider, answered within a day at a discount."
        ),
    ] = "local",
    workers: Annotated[int | None, Option(help=WORKERS_HELP, min=1)] = None,
    poll: Annotated[
        float | None, Option(help="With --engine provider: seconds between polls (30).")
    ] = None,
    discount: Annotated[
        float | None,
        Option(help="With --engine provider: part of the price that batches save (0.5: half)."),
    ] = None,
    per_file: Annotated[
        int | None,
        Option("--per-file", help="With --engine provider: most requests of a batch (50,000)."),
    ] = None,
    gather: Annotated[
        float | None,
        Option(
            help="With --engine provider: seconds without a new request after which those that "
            "wait are sent (2)."
        ),
    ] = None,
    cancel: Annotated[
        bool, Option("--cancel", help="Cancel the batches of OUT that are running, and end.")
    ] = False,
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

    At half price, within a day, and never for more than 20 dollars:

    langprog run triage.json --batch in.jsonl --out out.jsonl --engine provider --dollars 20
    """
    for_batch = {"out": out, "format": format_, "keep": keep}
    _check_options(input_, batch, for_batch, stream=stream)
    given = {
        "poll": poll,
        "discount": discount,
        "per-file": per_file,
        "gather": gather,
        "cancel": cancel or None,
    }
    runs_on = engine_of(engine, workers, ENGINES)
    provider = _provider(engine, given)
    if engine != "local" and input_ is not None:
        raise InputError(f"--engine {engine} is for --batch, not for --input")
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
            assert batch is not None
            if out is None:
                raise InputError("--batch IN needs --out OUT")
            task = Batch(
                program,
                Path(batch),
                check_writable(out, "--out", {"--batch": batch, "ARTIFACT": artifact}),
                f"{loaded.digest} {lm}{asked.description}",
                width=width,
                format=format_,
                keep=tuple(name.strip() for name in (keep or "").split(",") if name.strip()),
                order=check_order(order),
                retry_failed=retry_failed,
                budget=budget,
                provider=provider,
                engine=runs_on,
            )
            if cancel and provider is not None:
                return _cancel(program, task.target, provider)
            done = _run(task)
    _say(done, out, provider)
    return 1 if done.failed or done.stopped else 0


def _check_options(
    input_: str | None, batch: str | None, for_batch: Mapping[str, str | None], *, stream: bool
) -> None:
    if (input_ is None) == (batch is None):
        raise InputError("give either --input JSON, or --batch IN together with --out OUT")
    if stream and input_ is None:
        raise InputError("--stream is for --input, not for --batch")
    if input_ is not None:
        for option, value in for_batch.items():
            if value is not None:
                raise InputError(f"--{option} is for --batch, not for --input")


def _provider(engine: str, given: Mapping[str, Any]) -> ProviderBatches | None:
    """Return the settings of ``--engine provider``; ``None`` for another one."""
    set_ = {name: value for name, value in given.items() if value is not None}
    if engine != "provider":
        for name in set_:
            raise InputError(f"--{name} needs --engine provider")
        return None
    set_.pop("cancel", None)
    if "per-file" in set_:
        set_["requests_per_file"] = set_.pop("per-file")
    return ProviderBatches(**set_)


def _run(task: Batch) -> BatchDone:
    show = batch_shower()
    waits = StatusLines()
    try:
        return run_sync(run_batch(task, show.on, on_status=waits.on))
    except KeyboardInterrupt:
        if waits.running:
            goes = "goes" if len(waits.running) == 1 else "go"
            Terminal(stderr=True).say(
                f"{', '.join(waits.running)} {goes} on at the provider: the same command collects "
                "what is answered; with --cancel, it cancels them"
            )
        raise
    finally:
        show.close()


def _cancel(program: Module, target: Path, provider: ProviderBatches) -> int:
    terminal = Terminal(stderr=True)
    outcomes = run_sync(cancel_batches(program, target, provider))
    for each in outcomes:
        terminal.say(f"{each.batch}: {each.outcome}")
    terminal.say(
        "the same command without --cancel collects what was answered, and sends the rest in new "
        "batches"
    )
    return 0


def _say(done: BatchDone, out: str, provider: ProviderBatches | None) -> None:
    terminal = Terminal(stderr=True)
    earlier = f", {done.earlier:,} already there" if done.earlier else ""
    cost = f", ${done.dollars:.4f}" if done.dollars else ""
    if cost and provider is not None:
        cost += f" ({provider.discount:.0%} off)"
    terminal.say(f"{done.written:,} rows written{earlier}, {done.failed:,} failed{cost}")
    for kind, message in done.first.items():
        if message not in done.stopped:
            terminal.say(f"first {kind} failure: {message}")
    if done.stopped:
        terminal.say(f"langprog: stopped: {done.stopped}")
        place = f" (results so far: {done.unfinished})" if done.unfinished else ""
        budget = " with a larger budget" if done.capped else ""
        terminal.say(f"the same command continues{budget}{place}")
    elif done.again:
        terminal.say(f"the same command retries {done.again:,} of them")
    if done.failed > done.again:
        terminal.say(f"--retry-failed retries every failed row of {out}")
