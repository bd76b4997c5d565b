"""Runs a teacher over training examples, to learn from what goes right and what goes wrong."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from langprog import Example, Module
from langprog.evaluation import Row
from optimizers.budget.forecast import ForecastInputs, Range
from optimizers.demos.demos import Shown, drawn, labelled, passing, traced
from optimizers.evaluation.binding import Model
from optimizers.evaluation.runner import Job, run_rows
from optimizers.run import Run

# Rollouts are taken this many at a time; whether more are wanted is asked in between.
ROUND = 32
HINTS = 6
# The share of the queries that first attempts may take, where there are second ones.
FIRST_ATTEMPTS = 0.7


@dataclass(frozen=True, slots=True)
class Rollouts:
    """What the teacher did.

    Args:
        rows: Its first attempt at every example that was tried, in order.
        good: Attempts that the metric accepted, one an example at most.
    """

    rows: tuple[Row, ...] = ()
    good: tuple[Row, ...] = field(default=())

    def traced(self, program: Module) -> dict[str, tuple[Shown, ...]]:
        """Return demonstrations of every predictor from the good attempts."""
        return traced(program, self.good)


async def rollouts(
    run: Run,
    *,
    wanted: int,
    most: int,
    teacher: Model = None,
    threshold: float | None = None,
    hints: bool = True,
) -> Rollouts:
    """Let the teacher answer training examples until enough answers are good.

    Examples that it gets wrong by itself are tried once more with some labelled examples shown,
    none of them the example itself.

    Args:
        run: The search that this is a part of.
        wanted: Good attempts wanted.
        most: Most queries to spend.
        teacher: The model that teaches, or its name; the program's own if ``None``.
        threshold: Lowest score that is good; see :func:`passing`.
        hints: Whether to try again with labelled examples.

    Raises:
        BudgetExceeded: The budget ended first.
    """
    program = taught_by(run.program, teacher)
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
        new = await _attempts(run, [Job(program, batch)])
        rows.extend(new)
        spent += len(batch)
        good = passing(rows, threshold, run.materials.metric.range)
        run.step("bootstrap", min(len(good), wanted), wanted)
    if hints and len(good) < wanted:
        kept = {row.example.digest for row in good}
        missed = [row.example for row in rows if row.example.digest not in kept]
        missed = missed[: max(0, most - spent)]
        if missed and run.affords(len(missed)):
            jobs = _hinted(program, missed, run.train, run.rng("hints"))
            second = await _attempts(run, jobs)
            good = passing([*good, *second], threshold, run.materials.metric.range)
            run.step("bootstrap", min(len(good), wanted), wanted)
    run.log("rollouts", {"tried": len(rows), "good": len(good)})
    return Rollouts(tuple(rows), tuple(good))


def rollout_queries(facts: ForecastInputs, wanted: float, most: float) -> Range:
    """Return the queries that :func:`rollouts` is expected to take.

    Args:
        facts: What is known of the data and the program.
        wanted: Good attempts wanted.
        most: Most queries to spend.
    """
    tries = min(facts.train, math.ceil(most * FIRST_ATTEMPTS))
    if not facts.right:
        return Range(min(tries, ROUND), max(tries, min(most, 2.0 * tries)))
    needed = min(tries, math.ceil(wanted / facts.right / ROUND) * ROUND)
    missed = max(0.0, 1 - facts.right) * needed if needed * facts.right < wanted else 0.0
    found = needed + min(missed, most - needed)
    return Range(max(1.0, 0.7 * found), max(1.0, min(most, 1.3 * found)))


def taught_by(program: Module, teacher: Model) -> Module:
    """Return ``program`` with every predictor asking the model ``teacher``."""
    if teacher is None:
        return program
    return program.with_parameters({f"{path}.model": teacher for path in program.predictors()})


async def _attempts(run: Run, jobs: Sequence[Job]) -> list[Row]:
    results = await run_rows(jobs, run.materials.metric, run.materials.concurrency)
    run.settle()
    return [row for rows in results for row in rows]


def _hinted(
    program: Module, missed: Sequence[Example], train: Sequence[Example], rng: random.Random
) -> list[Job]:
    """Return one job a missed example: the program with labelled examples, without that one."""
    shown = labelled(program, train)
    predictors = program.predictors()
    jobs = []
    for example in missed:
        values = {}
        for path, predictor in predictors.items():
            others = [one for one in shown[path] if one.source != example.digest]
            hints = drawn(others, HINTS, predictor.signature, rng)
            if hints:
                values[f"{path}.demos"] = tuple(one.demo for one in hints)
        jobs.append(Job(program.with_parameters(values), [example]))
    return jobs
