"""``langprog eval``: score a program or an artifact on a file of examples."""

from __future__ import annotations

from typing import Annotated

import typer

from langprog.cli.loading import (
    DATA_HELP,
    METRIC_HELP,
    OWN_EXAMPLES,
    OWN_METRIC,
    RETRIEVER_HELP,
    allowed_modules,
    is_ready,
    load_metric,
    load_program_or_artifact,
    read_examples,
    reference_or_own,
)
from langprog.cli.models import BASE_URL_HELP, LM_HELP, MODEL_HELP, NamedModels, uses_ambient_model
from langprog.cli.terminal import Terminal, write_json
from langprog.cli.tools import MCP_HELP, TOOL_HELP, open_tools
from langprog.errors import LangprogError
from langprog.evaluation import Report, evaluate
from langprog.lm import Budget


def evaluate_program(  # noqa: PLR0913 - every parameter is an option of the command
    program: Annotated[str, typer.Argument(help="Artifact, package.module:name or file.py:name")],
    data: Annotated[str | None, typer.Option(help=DATA_HELP)] = None,
    metric: Annotated[str | None, typer.Option(help=METRIC_HELP)] = None,
    lm: Annotated[str | None, typer.Option(help=LM_HELP)] = None,
    model: Annotated[list[str] | None, typer.Option(help=MODEL_HELP)] = None,
    base_url: Annotated[str | None, typer.Option(help=BASE_URL_HELP)] = None,
    calls: Annotated[int | None, typer.Option(help="Cap on requests.")] = None,
    dollars: Annotated[float | None, typer.Option(help="Cap on dollars.")] = None,
    width: Annotated[int, typer.Option(help="Examples processed concurrently.", min=1)] = 64,
    max_errors: Annotated[int, typer.Option(help="Examples the metric may raise on.", min=0)] = 0,
    allow: Annotated[
        list[str] | None, typer.Option(help="Module that an artifact may import; may be repeated.")
    ] = None,
    retriever: Annotated[list[str] | None, typer.Option(help=RETRIEVER_HELP)] = None,
    tool: Annotated[list[str] | None, typer.Option(help=TOOL_HELP)] = None,
    mcp: Annotated[list[str] | None, typer.Option(help=MCP_HELP)] = None,
    json_: Annotated[bool, typer.Option("--json", help="The whole report as JSON.")] = False,
) -> None:
    """Score PROGRAM on examples, with a 95 % interval.

    Rows lost to transport failures count as missing, not as wrong.
    """
    asked = NamedModels.of(lm, model, base_url)
    metric = reference_or_own(metric, OWN_METRIC, program, "--metric")
    data = reference_or_own(data, OWN_EXAMPLES, program, "--data")
    with open_tools(tool, mcp) as tools:
        loaded = load_program_or_artifact(
            program, allowed_modules(allow), asked, retriever or [], tools
        )
        if is_ready(metric):
            asked.check_lm(loaded)
        elif lm is not None and not uses_ambient_model(loaded):
            note = (
                f"--lm {lm} applies to the metric only: every module names its model "
                "(--model NAME=...)"
            )
            Terminal(stderr=True).say(f"langprog: {note}")
        report = evaluate(
            loaded,
            read_examples(data, "--data", loaded),
            load_metric(metric),
            concurrency=width,
            budget=Budget(calls=calls, dollars=dollars),
            lm=asked.ambient,
            max_errors=max_errors,
        )
    if json_:
        write_json(report.to_json())
    else:
        _print_report(report)
    if report.n_scored == 0:
        raise LangprogError(f"no row could be scored: {_first_failure(report)}")


def _print_report(report: Report) -> None:
    terminal = Terminal()
    terminal.say(f"{report.metric}: {report}")
    dollars = "unknown" if report.dollars is None else f"${report.dollars:.4f}"
    terminal.say(
        f"{report.calls:,} calls ({report.cached_calls:,} cached), {report.tokens:,} tokens, "
        f"{dollars} as if nothing were cached"
    )
    median, slow = report.latency(0.5), report.latency(0.95)
    if median is not None and slow is not None:
        terminal.say(f"latency p50 {median * 1000:.0f} ms, p95 {slow * 1000:.0f} ms")
    failures: dict[str, str] = {}
    for row in report.rows:
        if row.failure is not None:
            failures.setdefault(row.failure.kind, row.failure.message)
    for kind, message in failures.items():
        terminal.say(f"first {kind} failure: {message}")


def _first_failure(report: Report) -> str:
    return next((row.failure.message for row in report.rows if row.failure is not None), "")
