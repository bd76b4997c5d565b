"""Runs a teacher over training examples, to learn from its successes and its mistakes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from langprog import Example, Module
from langprog.evaluation import Row
from optimizers.budget.forecast import ForecastInputs, Range
from optimizers.demos.demos import (
    DemoSet,
    SourcedDemo,
    check_threshold,
    collect_labeled,
    draw_demos,
    drop_known,
    select_passing,
)
from optimizers.demos.own_demos import keep_own_demos
from optimizers.demos.teacher import Teacher, make_teaching_program
from optimizers.demos.traces import collect_traced
from optimizers.evaluation.candidate import tunable_predictors
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
        teacher: The program that did the runs, where it is not the one that learns.
    """

    rows: tuple[Row, ...] = ()
    good: tuple[Row, ...] = field(default=())
    teacher: Module | None = None

    def collect_demos(self, program: Module) -> dict[str, tuple[SourcedDemo, ...]]:
        """Return demonstrations of every predictor from the good attempts."""
        return collect_traced(program, self.good, self.teacher)


async def run_rollouts(
    run: Run,
    *,
    wanted: int,
    most: int,
    teacher: Teacher = None,
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
        teacher: The model or the program that teaches; ``None`` for the program itself.
        threshold: Lowest score that is good; see :func:`select_passing`.
        hints: Whether to try again with labelled examples.

    Raises:
        BudgetExceeded: The budget ended first.
        InputError: The threshold is outside the metric's range.
    """
    check_threshold(threshold, run.materials.metric.range)
    program, own = make_teaching_program(run.program, teacher), keep_own_demos(run, None)
    if isinstance(teacher, Module):
        own = {path: predictor.demos for path, predictor in teacher.predictors().items()}
    order = list(run.train)
    run.rng("rollouts").shuffle(order)
    rows: list[Row] = []
    good: list[Row] = []
    spent = 0
    run.start_stage("bootstrap", wanted, "the program works on training examples")
    first = math.ceil(most * FIRST_ATTEMPTS) if hints else most
    while len(good) < wanted and len(rows) < len(order) and spent < first:
        batch = order[len(rows) : len(rows) + min(ROUND, first - spent)]
        if not run.affords(len(batch)):
            break
        rows.extend(await _run_attempts(run, [Job(program, batch)]))
        spent += len(batch)
        good = select_passing(rows, threshold, run.materials.metric.range)
        run.advance_stage("bootstrap", min(len(good), wanted), wanted)
    if hints and len(good) < wanted:
        kept = {row.example.digest for row in good}
        missed = [row.example for row in rows if row.example.digest not in kept]
        missed = missed[: max(0, most - spent)]
        if missed and run.affords(len(missed)):
            jobs = _make_hinted_jobs(program, missed, run, own)
            second = await _run_attempts(run, jobs)
            good = select_passing([*good, *second], threshold, run.materials.metric.range)
            run.advance_stage("bootstrap", min(len(good), wanted), wanted)
    run.log("rollouts", {"tried": len(rows), "good": len(good)})
    taught = teacher if isinstance(teacher, Module) else None
    return Rollouts(tuple(rows), tuple(good), taught)


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


async def _run_attempts(run: Run, jobs: Sequence[Job]) -> list[Row]:
    results = await run_rows(jobs, run.materials.metric, run.materials.concurrency)
    run.settle()
    return [row for rows in results for row in rows]


def _make_hinted_jobs(
    program: Module, missed: Sequence[Example], run: Run, own: Mapping[str, DemoSet]
) -> list[Job]:
    """Return one job per missed example: the program, shown labelled examples but that one.

    Args:
        program: What does the runs.
        missed: Examples that it got wrong.
        run: The search, with the training examples.
        own: Demonstrations that the hints come after, by predictor.
    """
    labeled = collect_labeled(program, run.train)
    rng = run.rng("hints")
    jobs = []
    for example in missed:
        values = {}
        for path, predictor in tunable_predictors(program).items():
            others = [item for item in labeled[path] if item.source != example.digest]
            unknown = drop_known(others, own[path], predictor.signature)
            hints = draw_demos(unknown, HINTS, predictor.signature, rng)
            if hints:
                values[f"{path}.demos"] = (*own[path], *(item.demo for item in hints))
        jobs.append(Job(program.with_parameters(values), [example]))
    return jobs
