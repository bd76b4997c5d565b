"""Two programs on the same examples, and an assertion for tests that one is not worse."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from langprog.errors import InputError
from langprog.evaluation.clusters import InputKeys
from langprog.evaluation.evaluate import Data, aevaluate
from langprog.evaluation.metric_errors import MetricErrors
from langprog.evaluation.ranges import range_of
from langprog.evaluation.report import Report, Row
from langprog.evaluation.score import Metric
from langprog.evaluation.statistics import (
    LEVEL,
    Claims,
    Objective,
    PairedCosts,
    PairedScores,
    check_claims,
    fewest_clusters,
)
from langprog.lm import Budget, LanguageModel, Ledger
from langprog.modules import Module
from langprog.runtime import run_sync


@dataclass(frozen=True)
class ProgramComparison:
    """A program against a baseline on the same examples.

    Args:
        claims: What may be claimed.
        program: The program's report.
        baseline: The baseline's report.
        tolerance: Loss of mean score that was acceptable.
        missing: Examples omitted because one of the two has no score for them.
    """

    claims: Claims
    program: Report
    baseline: Report
    tolerance: float
    missing: int = 0

    def to_json(self) -> dict[str, Any]:
        """Return the comparison as plain JSON."""
        return {
            **self.claims.to_json(),
            "tolerance": self.tolerance,
            "missing": self.missing,
            "program": {"mean": self.program.mean, "dollars": self.program.dollars},
            "baseline": {"mean": self.baseline.mean, "dollars": self.baseline.dollars},
        }

    def __str__(self) -> str:
        claims = self.claims
        return (
            f"{self.baseline.mean:.3f} -> {self.program.mean:.3f} on {claims.n} inputs, "
            f"difference {claims.difference:+.3f} [{claims.low:+.3f}, {claims.high:+.3f}], "
            f"p = {claims.primary.p_value:.2g}: {claims.finding}"
        )


def compare_programs(  # noqa: PLR0913 - its options are given by name
    program: Module,
    baseline: Module,
    data: Data,
    metric: Metric,
    *,
    objective: Objective = "quality",
    tolerance: float = 0.0,
    concurrency: int = 64,
    budget: Budget | Ledger | None = None,
    lm: LanguageModel | str | None = None,
    max_errors: int = 0,
) -> ProgramComparison:
    """Run two programs on the same examples, and test what may be claimed about the first.

    The tests are those of a certificate, at 5 %: valid for every number of examples and every
    metric with a range. Examples with the same inputs count as one.

    Args:
        program: The program in question.
        baseline: The program to compare it with.
        data: The examples.
        metric: What scores a prediction.
        objective: ``quality``: is it better? ``cost`` or ``latency``: is it not worse by more
            than ``tolerance``, and cheaper or quicker?
        tolerance: Mean score that may be given up.
        concurrency: Examples evaluated at the same time.
        budget: A hard cap on all calls made here.
        lm: Model of the predictors that name none.
        max_errors: On how many examples the metric may raise.

    Raises:
        InputError: The data does not fit, or no example was scored for both programs.
    """
    ledger = budget if isinstance(budget, Ledger) else Ledger(budget or Budget())
    examples = list(data)
    errors = MetricErrors(max_errors)

    async def run_both() -> list[Report]:
        # Interleaved, so that a slow minute of an endpoint affects both programs.
        runs = (
            aevaluate(
                each,
                examples,
                metric,
                concurrency=max(1, concurrency // 2),
                budget=ledger,
                lm=lm,
                max_errors=errors,
            )
            for each in (baseline, program)
        )
        return await asyncio.gather(*runs)

    first, second = run_sync(run_both())
    keys = InputKeys(program)
    pairs = [
        (before, after)
        for before, after in zip(first.rows, second.rows, strict=True)
        if before.score is not None and after.score is not None
    ]
    if not pairs:
        failure = next((row.failure for row in first.rows + second.rows if row.failure), None)
        said = f" ({failure.kind}: {failure.message})" if failure else ""
        raise InputError(f"no example was scored for both programs{said}")
    clusters = [keys.of(before.example) for before, _ in pairs]
    before, after = zip(*pairs, strict=True)
    claims = check_claims(
        PairedScores(
            list(map(_value, before)), list(map(_value, after)), clusters, range_of(metric)
        ),
        objective=objective,
        tolerance=tolerance,
        dollars=PairedCosts(_dollars(before), _dollars(after), clusters),
        seconds=PairedCosts(_seconds(before), _seconds(after), clusters),
    )
    return ProgramComparison(claims, second, first, tolerance, len(first.rows) - len(pairs))


def assert_not_worse(
    program: Module,
    baseline: Module,
    data: Data,
    metric: Metric,
    *,
    tolerance: float = 0.05,
    concurrency: int = 64,
    budget: Budget | Ledger | None = None,
    lm: LanguageModel | str | None = None,
) -> ProgramComparison:
    """Fail a test unless a program is shown to lose no more than ``tolerance``.

    Example::

        def test_the_prompt_is_as_good_as_the_one_in_production():
            assert_not_worse(lp.load("new.json"), lp.load("old.json"), DATA, metric)

    Args:
        program: The program in question.
        baseline: The program that it must not be worse than.
        data: The examples; the default tolerance needs at least 59 different inputs.
        metric: What scores a prediction.
        tolerance: Mean score that may be given up.
        concurrency: Examples evaluated at the same time.
        budget: A hard cap on all calls made here.
        lm: Model of the predictors that name none.

    Returns:
        The comparison.

    Raises:
        AssertionError: It is worse, or too few examples show that it is not.
        InputError: The data does not fit, or no example was scored for both programs.
    """
    if tolerance <= 0:
        raise InputError(f"tolerance={tolerance:g}: how much may be lost must be above 0")
    comparison = compare_programs(
        program,
        baseline,
        data,
        metric,
        objective="cost",
        tolerance=tolerance,
        concurrency=concurrency,
        budget=budget,
        lm=lm,
    )
    claim = comparison.claims.primary
    if claim.holds:
        return comparison
    low, high = range_of(metric)
    fewest = fewest_clusters("not worse", tolerance=tolerance / (high - low), level=LEVEL)
    if comparison.claims.n < fewest:
        why = f"{comparison.claims.n} different inputs cannot show that: {fewest} are the fewest"
    elif comparison.claims.finding == "worse":
        why = "it is worse"
    else:
        why = f"it may lose {max(0.0, -claim.bound):.3f}"
    raise AssertionError(f"not shown to lose at most {tolerance:g}: {why} ({comparison})")


def _value(row: Row) -> float:
    assert row.score is not None
    return row.score.value


def _dollars(rows: tuple[Row, ...]) -> list[float | None]:
    return [row.usage.dollars for row in rows]


def _seconds(rows: tuple[Row, ...]) -> list[float | None]:
    return [
        sum(completion.latency for step in row.trace for completion in step.completions)
        for row in rows
    ]
