"""``langprog compare``: is one program better than another, on the same examples?"""

from __future__ import annotations

from typing import Annotated

import typer

from langprog.cli.loading import (
    METRIC_NAMES,
    RETRIEVER_HELP,
    allowed_modules,
    load_both,
    load_metric,
    read_examples,
)
from langprog.cli.models import BASE_URL_HELP, LM_HELP, MODEL_HELP, NamedModels
from langprog.cli.terminal import Terminal, write_json
from langprog.cli.tools import MCP_HELP, TOOL_HELP, open_tools
from langprog.errors import InputError
from langprog.evaluation import Objective, ProgramComparison, compare_programs
from langprog.lm import Budget

OBJECTIVES: tuple[Objective, ...] = ("quality", "cost", "latency")
Option = typer.Option


def compare_two(  # noqa: PLR0913 - every parameter is an option of the command
    baseline: Annotated[str, typer.Argument(help="Artifact, package.module:name or file.py:name")],
    program: Annotated[str, typer.Argument(help="The same; what is examined.")],
    data: Annotated[str, Option(help="Examples: JSONL, JSON, CSV or Parquet.")],
    metric: Annotated[str, Option(help=f"{METRIC_NAMES}.")],
    objective: Annotated[
        str, Option(help="quality: better? cost or latency: not worse, and cheaper or quicker?")
    ] = "quality",
    tolerance: Annotated[float, Option(help="Mean score that may be given up.")] = 0.0,
    lm: Annotated[str | None, Option(help=LM_HELP)] = None,
    model: Annotated[list[str] | None, Option(help=MODEL_HELP)] = None,
    base_url: Annotated[str | None, Option(help=BASE_URL_HELP)] = None,
    calls: Annotated[int | None, Option(help="Cap on requests.")] = None,
    dollars: Annotated[float | None, Option(help="Cap on dollars.")] = None,
    width: Annotated[int, Option(help="Examples processed concurrently.", min=1)] = 64,
    max_errors: Annotated[int, Option(help="Examples the metric may raise on.", min=0)] = 0,
    allow: Annotated[
        list[str] | None, Option(help="Module that may be imported for an artifact.")
    ] = None,
    retriever: Annotated[list[str] | None, Option(help=RETRIEVER_HELP)] = None,
    tool: Annotated[list[str] | None, Option(help=TOOL_HELP)] = None,
    mcp: Annotated[list[str] | None, Option(help=MCP_HELP)] = None,
    json_: Annotated[bool, Option("--json", help="One JSON object.")] = False,
) -> int:
    """Compare PROGRAM with BASELINE on the same examples; exit code 1 if it is worse.

    The tests are those of a certificate. Examples with the same inputs count as one.
    """
    asked = NamedModels.of(lm, model, base_url)
    with open_tools(tool, mcp) as tools:
        both = baseline, program
        first, second = load_both(both, allowed_modules(allow), asked, retriever or [], tools)
        comparison = compare_programs(
            second,
            first,
            read_examples(data, "--data", second),
            load_metric(metric),
            objective=_check_objective(objective),
            tolerance=tolerance,
            concurrency=width,
            budget=Budget(calls=calls, dollars=dollars),
            lm=asked.ambient,
            max_errors=max_errors,
        )
    if json_:
        write_json(comparison.to_json())
    else:
        _print_comparison(comparison)
    return 1 if comparison.claims.finding == "worse" else 0


def _check_objective(objective: str) -> Objective:
    for known in OBJECTIVES:
        if objective == known:
            return known
    raise InputError(f"--objective {objective!r}: write {', '.join(OBJECTIVES)}")


def _print_comparison(comparison: ProgramComparison) -> None:
    terminal, claims = Terminal(), comparison.claims
    terminal.say(f"baseline    {comparison.baseline}")
    terminal.say(f"program     {comparison.program}")
    terminal.say(
        f"difference  {claims.difference:+.3f} [{claims.low:+.3f}, {claims.high:+.3f}] on "
        f"{claims.n} different inputs: {claims.wins} better, {claims.losses} worse, "
        f"{claims.ties} the same"
    )
    if comparison.missing:
        terminal.say(
            f"{comparison.missing} examples have no score for one of the two: they count at their "
            "worst for each claim"
        )
    for claim in claims.tested:
        holds = "yes" if claim.holds else "not shown"
        terminal.say(f"  {claim.name + '?':12}{holds} (p = {claim.p_value:.2g})")
    terminal.say(f"finding: {claims.finding}", bold=True)
