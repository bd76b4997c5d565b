"""Running programs on examples, several at once, with results in a fixed order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from langprog import Example, Module
from langprog.errors import BudgetExceeded
from langprog.evaluation import InputKeys, Metric, Row
from langprog.runtime import gather_in_order
from optimizers.evaluation.placing import score_rows
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


def leave_out_own(job: Job) -> list[tuple[Job, Sequence[int]]]:
    """Divide a job, so that no row is shown itself as one of the nearest demonstrations.

    A row that demonstrations come from, or one with the same inputs, gets a program without them;
    all other rows stay together.

    Args:
        job: What to run.

    Returns:
        Jobs, each with the places of its rows.
    """
    predictors = job.program.predictors().items()
    pools = {path: each.nearest for path, each in predictors if each.nearest is not None}
    sources = {source for pool in pools.values() for source in pool.sources}
    keys = InputKeys(job.program).of if sources else None
    own: list[tuple[Job, Sequence[int]]] = []
    others: list[int] = []
    for place, example in enumerate(job.examples):
        key = None if keys is None else source_key(keys(example))
        if key not in sources:
            others.append(place)
            continue
        values = {f"{path}.nearest": pool.without({key}) for path, pool in pools.items()}
        own.append((Job(job.program.with_parameters(values), [example]), [place]))
    if not own:
        return [(job, range(len(job.examples)))]
    shared = Job(job.program, [job.examples[place] for place in others])
    return [(shared, others), *own] if others else own


def source_key(input_key: str) -> str:
    """Return the key by which demonstrations name the row that they come from."""
    return input_key[:16]


def _place_of(pair: tuple[int, Row]) -> int:
    return pair[0]


async def _run_all(
    jobs: Sequence[Job], scoring: Scoring, concurrency: int, on_row: OnRow | None
) -> list[list[Row]]:
    at_once = max(1, min(len(jobs), concurrency))
    each = max(1, concurrency // at_once)

    async def run_part(job: Job, places: Sequence[int]) -> list[tuple[int, Row]]:
        # Run a copy, so that state kept by a program reaches neither the original nor other runs.
        program = job.program.with_parameters({})
        rows = await score_rows(
            scoring.engine,
            program,
            job.examples,
            scoring.metric,
            concurrency=each,
            errors=scoring.errors,
            on_row=on_row,
        )
        return [
            (place, replace(row, index=place)) for place, row in zip(places, rows, strict=True)
        ]

    async def run(job: Job) -> list[Row]:
        parts = [partial(run_part, *part) for part in leave_out_own(job)]
        done = await gather_in_order(parts, each)
        return [row for _, row in sorted((pair for part in done for pair in part), key=_place_of)]

    results = await gather_in_order([partial(run, job) for job in jobs], at_once)
    for rows in results:
        for row in rows:
            if row.failure is not None and row.failure.kind == "budget":
                raise BudgetExceeded(row.failure.message)
    return results
