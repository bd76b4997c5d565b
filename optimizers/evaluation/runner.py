"""Runs programs over examples, several programs at once, with results in a fixed order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from langprog import Example, Module
from langprog.errors import BudgetExceeded
from langprog.evaluation import Metric, Row, aevaluate
from langprog.runtime import in_order


@dataclass(frozen=True, slots=True)
class Job:
    """A program and the examples that it is to be run on."""

    program: Module
    examples: Sequence[Example]


OnRow = Callable[[Row], None]


async def run_rows(
    jobs: Sequence[Job], metric: Metric, concurrency: int, on_row: OnRow | None = None
) -> list[tuple[Row, ...]]:
    """Run every job and return its rows, jobs and rows in the order given.

    Rows without a score (transport failures that outlived their retries) are tried a second time
    at the end; those that fail again keep their failure and have no score.

    Args:
        jobs: What to run.
        metric: What scores a prediction.
        concurrency: Examples in work at the same time, over all jobs.
        on_row: Called with each row once, when no further attempt is made at it; in the order in
            which they end.

    Raises:
        BudgetExceeded: The budget ended before every row was done; no partial results then, as
            which rows were done would depend on the order in which answers arrived.
    """

    def on_first(row: Row) -> None:
        if on_row is not None and not is_missing(row):
            on_row(row)

    results = await _all(jobs, metric, concurrency, on_first)
    lost = [
        (number, index)
        for number, rows in enumerate(results)
        for index, row in enumerate(rows)
        if is_missing(row)
    ]
    if not lost:
        return [tuple(rows) for rows in results]
    again = [Job(jobs[number].program, [jobs[number].examples[index]]) for number, index in lost]
    retried = await _all(again, metric, concurrency, on_row)
    for (number, index), rows in zip(lost, retried, strict=True):
        results[number][index] = replace(rows[0], index=index)
    return [tuple(rows) for rows in results]


def is_missing(row: Row) -> bool:
    """Return whether a row has no score for no fault of the program."""
    return row.score is None


async def _all(
    jobs: Sequence[Job], metric: Metric, concurrency: int, on_row: OnRow | None
) -> list[list[Row]]:
    at_once = max(1, min(len(jobs), concurrency))
    each = max(1, concurrency // at_once)

    async def one(job: Job) -> list[Row]:
        # A copy: what a program remembers reaches neither the one that was given nor other runs,
        # whose results would depend on what was run before them.
        program = job.program.with_parameters({})
        report = await aevaluate(program, job.examples, metric, concurrency=each, on_row=on_row)
        return list(report.rows)

    results = await in_order([partial(one, job) for job in jobs], at_once)
    for rows in results:
        for row in rows:
            if row.failure is not None and row.failure.kind == "budget":
                raise BudgetExceeded(row.failure.message)
    return results
