"""Running programs on examples, several at once, with results in a fixed order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from langprog import Example, Module
from langprog.errors import BudgetExceeded
from langprog.evaluation import Metric, Row, aevaluate
from langprog.runtime import gather_in_order
from optimizers.evaluation.scoring import Scoring, as_scoring


@dataclass(frozen=True, slots=True)
class Job:
    """A program and the examples to run it on."""

    program: Module
    examples: Sequence[Example]


OnRow = Callable[[Row], None]


async def run_rows(
    jobs: Sequence[Job],
    metric: Metric | Scoring,
    concurrency: int,
    on_row: OnRow | None = None,
) -> list[tuple[Row, ...]]:
    """Run every job and return its rows, with jobs and rows in their given order.

    Rows without a score through no fault of the program (transport failures after all retries)
    are run a second time at the end; those that fail again have no score.

    Args:
        jobs: What to run.
        metric: Scores a prediction.
        concurrency: Examples processed at the same time, over all jobs.
        on_row: Called once for each row after its last attempt, in order of completion.

    Raises:
        BudgetExceeded: The budget ended before every row was done. No partial results are
            returned, as they would depend on the order in which answers arrived.
        ProgramError: No run of the compile has succeeded, and none is expected to.
    """
    scoring = as_scoring(metric)

    def on_first(row: Row) -> None:
        if on_row is not None and not _should_retry(row):
            on_row(row)

    results = await _run_all(jobs, scoring, concurrency, on_first)
    missing = [
        (number, index)
        for number, rows in enumerate(results)
        for index, row in enumerate(rows)
        if _should_retry(row)
    ]
    if missing:
        again = [
            Job(jobs[number].program, [jobs[number].examples[index]]) for number, index in missing
        ]
        repeated = await _run_all(again, scoring, concurrency, on_row)
        for (number, index), rows in zip(missing, repeated, strict=True):
            results[number][index] = replace(rows[0], index=index)
    await scoring.failures.add([row for rows in results for row in rows])
    return [tuple(rows) for rows in results]


def is_missing(row: Row) -> bool:
    """Return whether a row has no score through no fault of the program."""
    return row.score is None


def _should_retry(row: Row) -> bool:
    return is_missing(row) and row.failure is not None and row.failure.kind != "metric"


async def _run_all(
    jobs: Sequence[Job], scoring: Scoring, concurrency: int, on_row: OnRow | None
) -> list[list[Row]]:
    at_once = max(1, min(len(jobs), concurrency))
    each = max(1, concurrency // at_once)

    async def run(job: Job) -> list[Row]:
        # Run a copy, so that state kept by a program reaches neither the original nor other runs.
        program = job.program.with_parameters({})
        report = await aevaluate(
            program,
            job.examples,
            scoring.metric,
            concurrency=each,
            on_row=on_row,
            max_errors=scoring.errors,
        )
        return list(report.rows)

    results = await gather_in_order([partial(run, job) for job in jobs], at_once)
    for rows in results:
        for row in rows:
            if row.failure is not None and row.failure.kind == "budget":
                raise BudgetExceeded(row.failure.message)
    return results
