"""``langprog estimate``: what a compile would cost and could show, before paying for it."""

from __future__ import annotations

from typing import Annotated

import typer

from langprog.cli.compiling import Task, optimizer_named
from langprog.cli.knob_options import PROPOSER_HELP, SET_HELP, TEACHER_HELP, set_knobs
from langprog.cli.loading import (
    DATA_HELP,
    METRIC_HELP,
    OWN_EXAMPLES,
    OWN_METRIC,
    RETRIEVER_HELP,
    allowed_modules,
    load_metric,
    load_program_or_artifact,
    read_examples,
    reference_or_own,
)
from langprog.cli.models import BASE_URL_HELP, LM_HELP, MODEL_HELP, NamedModels
from langprog.cli.terminal import Terminal, write_json
from langprog.cli.tools import MCP_HELP, TOOL_HELP, open_tools
from langprog.lm import Budget
from optimizers import Preflight, StageCost

Option = typer.Option


def estimate_compile(  # noqa: PLR0913 - every parameter is an option of the command
    program: Annotated[str, typer.Argument(help="package.module:name, file.py:name or artifact")],
    train: Annotated[str | None, Option(help=DATA_HELP)] = None,
    metric: Annotated[str | None, Option(help=METRIC_HELP)] = None,
    val: Annotated[str | None, Option(help="Examples that steer the search.")] = None,
    holdout: Annotated[str | None, Option(help="Examples for the certificate alone.")] = None,
    optimizer: Annotated[str, Option(help="As for compile.")] = "compiler",
    auto: Annotated[str | None, Option(help="How thorough, as for compile.")] = None,
    models: Annotated[
        str | None, Option(help="Models to choose from for every module, A,B,...")
    ] = None,
    objective: Annotated[str | None, Option(help="As for compile.")] = None,
    proposer: Annotated[str | None, Option(help=PROPOSER_HELP)] = None,
    teacher: Annotated[str | None, Option(help=TEACHER_HELP)] = None,
    set_: Annotated[list[str] | None, Option("--set", help=SET_HELP)] = None,
    lm: Annotated[str | None, Option(help=LM_HELP)] = None,
    model: Annotated[list[str] | None, Option(help=MODEL_HELP)] = None,
    base_url: Annotated[str | None, Option(help=BASE_URL_HELP)] = None,
    calls: Annotated[int | None, Option(help="Cap on requests.")] = None,
    tokens: Annotated[int | None, Option(help="Cap on tokens.")] = None,
    dollars: Annotated[float | None, Option(help="Cap on dollars.")] = None,
    seconds: Annotated[float | None, Option(help="Cap on seconds.")] = None,
    seed: Annotated[int, Option(help="Random seed.")] = 0,
    width: Annotated[int, Option(help="Examples processed concurrently.", min=1)] = 64,
    allow: Annotated[
        list[str] | None, Option(help="Module that may be imported for an artifact.")
    ] = None,
    retriever: Annotated[list[str] | None, Option(help=RETRIEVER_HELP)] = None,
    tool: Annotated[list[str] | None, Option(help=TOOL_HELP)] = None,
    mcp: Annotated[list[str] | None, Option(help=MCP_HELP)] = None,
    json_: Annotated[bool, Option("--json", help="One JSON object.")] = False,
) -> int:
    """Estimate what compiling PROGRAM costs and what its certificate could show.

    Runs the program on at most 12 validation examples, twice. Exit code 1: not worth starting.
    """
    others = any(name is not None for name in (models, proposer, teacher))
    asked = NamedModels.of(lm, model, base_url, others=others)
    with open_tools(tool, mcp) as tools:
        declared = load_program_or_artifact(
            program, allowed_modules(allow), asked, retriever or [], tools
        )
        task = Task(
            declared,
            load_metric(reference_or_own(metric, OWN_METRIC, program, "--metric")),
            read_examples(
                reference_or_own(train, OWN_EXAMPLES, program, "--train"), "--train", declared
            ),
            None if val is None else read_examples(val, "--val", declared),
            None if holdout is None else read_examples(holdout, "--holdout", declared),
            lm,
            seed,
            asked,
        )
        member = optimizer_named(
            optimizer, width=width, auto=auto, models=asked.from_list(models), objective=objective
        )
        member = set_knobs(
            member,
            proposer=None if proposer is None else asked.at_address(proposer),
            teacher=None if teacher is None else asked.at_address(teacher),
            settings=set_ or (),
        )
        budget = Budget(calls=calls, tokens=tokens, dollars=dollars, seconds=seconds)
        estimate = task.estimate(member, budget)
    if json_:
        write_json(estimate.to_json())
    else:
        _print_estimate(estimate)
    return 1 if estimate.refusal is not None else 0


def _print_estimate(estimate: Preflight) -> None:
    terminal = Terminal()
    rows = [(stage.stage, str(stage.calls), _dollars(stage)) for stage in estimate.stages]
    terminal.table(("stage", "calls", "dollars"), rows)
    for line in estimate.lines():
        terminal.say(line)
    if estimate.probe is not None:
        terminal.say(f"this estimate itself took {estimate.probe.requested.calls} calls")
    if estimate.refusal is not None:
        terminal.say(f"not worth starting: {estimate.refusal}")


def _dollars(stage: StageCost) -> str:
    if stage.dollars is None:
        return "unknown"
    return "{:.4f} to {:.4f}".format(*stage.dollars.ends)
