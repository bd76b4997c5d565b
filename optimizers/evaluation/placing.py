"""Runs of a program on examples, placed by an engine: all here, or each wherever there is room."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from langprog import Example, Module
from langprog.engines import Engine
from langprog.evaluation import Metric, MetricErrors, Row, aevaluate
from langprog.runtime import gather_in_order

# On a worker the metric may raise on every row: the errors are counted where all rows come back.
_UNLIMITED = 10**6


async def score_rows(
    engine: Engine,
    program: Module,
    examples: Sequence[Example],
    metric: Metric,
    *,
    concurrency: int,
    errors: MetricErrors,
    on_row: Callable[[Row], None] | None = None,
) -> list[Row]:
    """Run a program on every example and score it; return the rows in the examples' order.

    Args:
        engine: Where each row runs.
        program: The program.
        examples: What to run it on.
        metric: Scores a prediction.
        concurrency: Examples processed at the same time.
        errors: Counts and names the rows on which the metric raised.
        on_row: Called with each row when it is done, in order of completion.

    Raises:
        LangprogError: As for :func:`langprog.evaluation.aevaluate`.
        InputError: The program or the metric cannot be sent to where rows run.
    """
    if engine.together is None:
        report = await aevaluate(
            program, examples, metric, concurrency=concurrency, max_errors=errors, on_row=on_row
        )
        return list(report.rows)

    async def score(shared: tuple[object, ...], place: int) -> Row:
        example = examples[place]
        name = errors.name_row(place, example)
        row = await engine.run(score_row, shared, example, name)
        row = replace(row, index=place, example=example)
        if row.failure is not None and row.failure.kind == "metric":
            errors.count(example, row.failure.message)
        if on_row is not None:
            on_row(row)
        return row

    with engine.sharing(program, metric) as shared:
        return await gather_in_order(
            [partial(score, shared, place) for place in range(len(examples))], concurrency
        )


async def score_row(program: Module, metric: Metric, example: Example, name: str) -> Row:
    """Run a program on one example and score it.

    Args:
        program: The program.
        metric: Scores a prediction.
        example: The example.
        name: Its name in messages.
    """
    errors = MetricErrors(_UNLIMITED, lambda index, row: name)
    report = await aevaluate(program, [example], metric, concurrency=1, max_errors=errors)
    return report.rows[0]
