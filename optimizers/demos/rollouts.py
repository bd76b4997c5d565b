"""Runs a teacher over training examples, to learn from its successes and its mistakes."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from langprog import Example, Module
from langprog.evaluation import Row
from optimizers.budget.forecast import ForecastInputs, Range
from optimizers.demos.demos import (
    SourcedDemo,
    collect_labeled,
    collect_traced,
    draw_demos,
    select_passing,
)
from optimizers.evaluation.binding import Model
from optimizers.evaluation.runner import Job, run_rows
from optimizers.run import Run

# Rollouts run in rounds of this size; whether more are needed is checked between rounds.
ROUND = 32
HINTS = 6
# Share of the queries that first attempts may take where second attempts follow.
FIRST_ATTEMPTS = 0.7


@dataclass(frozen=True, slots=True)
class Rollouts:
    """What the teacher did.

    Args:
        rows: Its first attempt at every example that was tried, in order.
        good: Attempts that the metric accepted, at most one per example.
    """

    rows: tuple[Row, ...] = ()
    good: tuple[Row, ...] = field(default=())

    def collect_demos(self, program: Module) -> dict[str, tuple[SourcedDemo, ...]]:
        """Return demonstrations of every predictor from the good attempts."""
        return collect_traced(program, self.good)


async def run_rollouts(
    run: Run,
    *,
    wanted: int,
    most: int,
    teacher: Model = None,
    threshold: float | None = None,
    hints: bool = True,
) -> Rollouts:
    """Let the teacher answer training examples until enough answers are good.

    Examples that it gets wrong are tried once more with some labelled examples shown, never the
    example itself.

    Args:
        run: The search that this is a part of.
        wanted: Number of good attempts to collect.
        most: Most queries to spend.
        teacher: The model that teaches, or its name; ``None`` for the program's own.
        threshold: Lowest score that is good; see :func:`select_passing`.
        hints: Whether to try again with labelled examples.

    Raises:
        BudgetExceeded: The budget ended first.
    """
    program = set_teacher(run.program, teacher)
    order = list(run.train)
    run.rng("rollouts").shuffle(order)
    rows: list[Row] = []
    good: list[Row] = []
    spent = 0
    run.stage("bootstrap", wanted, "the program works on training examples")
    first = math.ceil(most * FIRST_ATTEMPTS) if hints else most
    while len(good) < wanted and len(rows) < len(order) and spent < first:
        batch = order[len(rows) : len(rows) + min(ROUND, first - spent)]
        if not run.affords(len(batch)):
            break
        rows.extend(await _run_attempts(run, [Job(program, batch)]))
        spent += len(batch)
        good = select_passing(rows, threshold)
        run.step("bootstrap", min(len(good), wanted), wanted)
    if hints and len(good) < wanted:
        kept = {row.example.digest for row in good}
        missed = [row.example for row in rows if row.example.digest not in kept]
        missed = missed[: max(0, most - spent)]
        if missed and run.affords(len(missed)):
            jobs = _make_hinted_jobs(program, missed, run.train, run.rng("hints"))
            second = await _run_attempts(run, jobs)
            good = select_passing([*good, *second], threshold)
            run.step("bootstrap", min(len(good), wanted), wanted)
    run.log("rollouts", {"tried": len(rows), "good": len(good)})
    return Rollouts(tuple(rows), tuple(good))


def forecast_rollouts(facts: ForecastInputs, wanted: float, most: float) -> Range:
    """Return the number of queries that :func:`run_rollouts` is expected to take.

    Args:
        facts: What is known of the data and the program.
        wanted: Number of good attempts to collect.
        most: Most queries to spend.
    """
    tries = min(facts.train, math.ceil(most * FIRST_ATTEMPTS))
    if not facts.right:
        return Range(min(tries, ROUND), max(tries, min(most, 2.0 * tries)))
    needed = min(tries, math.ceil(wanted / facts.right / ROUND) * ROUND)
    missed = max(0.0, 1 - facts.right) * needed if needed * facts.right < wanted else 0.0
    total = needed + min(missed, most - needed)
    return Range(max(1.0, 0.7 * total), max(1.0, min(most, 1.3 * total)))


def set_teacher(program: Module, teacher: Model) -> Module:
    """Return ``program`` with every predictor asking the model ``teacher``."""
    if teacher is None:
        return program
    return program.with_parameters({f"{path}.model": teacher for path in program.predictors()})


async def _run_attempts(run: Run, jobs: Sequence[Job]) -> list[Row]:
    results = await run_rows(jobs, run.materials.metric, run.materials.concurrency)
    run.settle()
    return [row for rows in results for row in rows]


def _make_hinted_jobs(
    program: Module, missed: Sequence[Example], train: Sequence[Example], rng: random.Random
) -> list[Job]:
    """Return one job per missed example: the program, shown labelled examples but that one."""
    labeled = collect_labeled(program, train)
    predictors = program.predictors()
    jobs = []
    for example in missed:
        values = {}
        for path, predictor in predictors.items():
            others = [item for item in labeled[path] if item.source != example.digest]
            hints = draw_demos(others, HINTS, predictor.signature, rng)
            if hints:
                values[f"{path}.demos"] = tuple(item.demo for item in hints)
        jobs.append(Job(program.with_parameters(values), [example]))
    return jobs
