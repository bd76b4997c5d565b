"""Two programs on the same examples, and an assertion for tests that one is not worse."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, get_args

from langprog.errors import BudgetExceeded, InputError, LangprogError
from langprog.evaluation.clusters import cluster_rows
from langprog.evaluation.combining import DatasetMetric
from langprog.evaluation.common_failure import BLOCK, BROKEN, UNREADABLE, find_common_failure
from langprog.evaluation.evaluate import Data, aevaluate
from langprog.evaluation.measuring import Measured
from langprog.evaluation.metric_errors import MetricErrors
from langprog.evaluation.ranges import range_of
from langprog.evaluation.report import Report, Row
from langprog.evaluation.score import Metric, check_metric, metric_name
from langprog.evaluation.statistics import (
    LEVEL,
    MAX_MISSING,
    Claims,
    Objective,
    PartialScores,
    check_claims,
    fewest_clusters,
)
from langprog.evaluation.used_rows import count_chosen_by
from langprog.example import Example, examples_of, refuse_train_only
from langprog.knobs import check_argument, takes_number, takes_one_of, takes_whole
from langprog.lm import Budget, LanguageModel, Ledger
from langprog.modules import Module
from langprog.runtime import give_notice, run_sync


@dataclass(frozen=True)
class ProgramComparison:
    """A program against a baseline on the same examples.

    Args:
        claims: What may be claimed.
        program: The program's report.
        baseline: The baseline's report.
        tolerance: Loss of mean score that was acceptable.
        missing: Examples without a score for one of the two. In the bounds and p-values they count
            at their worst for each claim, unless neither program has a score.
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
            f"p = {claims.primary.p_value:.2g}{self._describe_missing()}: {claims.finding}"
            f"{self._describe_tolerance()}"
        )

    def _describe_tolerance(self) -> str:
        claim = self.claims.primary
        if claim.name != "not worse":
            return ""
        shown = "shown" if claim.holds else "not shown"
        return f" (not worse by more than {self.tolerance:g}: {shown})"

    def _describe_missing(self) -> str:
        if not self.missing:
            return ""
        return f", missing={self.missing}{_describe_first((self.program, self.baseline))}"


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
    metric with a range. Examples with the same inputs count as one. An example that only one of
    the programs has a score for counts at its worst for each claim.

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
        InputError: An argument is wrong, the data does not fit, or no example was scored for both
            programs.
        LangprogError: (Nearly) all runs of a program failed in one way, or more than a tenth of
            the examples has no score: nothing can be said.
        BudgetExceeded: The budget ended first.
    """
    _check_options((program, baseline), metric, objective, tolerance, concurrency)
    ledger = (
        budget if isinstance(budget, Ledger) else Ledger(Budget() if budget is None else budget)
    )
    examples = examples_of(data)
    refuse_train_only(examples, "the data", "example {}".format)
    evaluate_one = partial(
        aevaluate,
        data=examples,
        metric=metric,
        concurrency=max(1, concurrency // 2),
        budget=ledger,
        lm=lm,
        max_errors=MetricErrors(max_errors),
    )
    _warn_of_used(program, baseline, examples)
    first, second = run_sync(_run_both(baseline, program, len(examples), evaluate_one))
    missing = _count_missing(first, second)
    clusters = cluster_rows(program, baseline, examples)
    scores = PartialScores.of(
        list(map(_value, first.rows)), list(map(_value, second.rows)), clusters, range_of(metric)
    )
    before = [first.rows[place] for place in scores.kept]
    after = [second.rows[place] for place in scores.kept]
    measured = Measured(before, after, [clusters[place] for place in scores.kept])
    claims = check_claims(
        scores,
        objective=objective,
        tolerance=tolerance,
        dollars=measured.dollars,
        seconds=measured.seconds,
    )
    return ProgramComparison(claims, second, first, tolerance, missing)


def _warn_of_used(program: Module, baseline: Module, examples: Sequence[Example]) -> None:
    for name, each in (("program", program), ("baseline", baseline)):
        count = count_chosen_by(each, examples)
        if count:
            give_notice(
                f"{count} of the {len(examples)} examples were used to choose the {name} when it "
                "was compiled, so they favour it: compare the two on others"
            )


def _check_options(
    programs: Sequence[Module],
    metric: Metric,
    objective: Objective,
    tolerance: float,
    concurrency: int,
) -> None:
    for each in programs:
        if not isinstance(each, Module):
            raise InputError(
                f"a {type(each).__name__} cannot be compared: give two programs, such as "
                "lp.Predict(...) or lp.load(path), and then the data and the metric"
            )
    owner = "compare_programs"
    check_argument(owner, "objective", objective, takes_one_of(get_args(Objective)))
    check_argument(owner, "tolerance", tolerance, takes_number(0))
    check_argument(owner, "concurrency", concurrency, takes_whole(1, 100_000))
    check_tolerated_metric(metric, tolerance)


def check_tolerated_metric(metric: Metric, tolerance: float) -> None:
    """Check that a test can show that a program loses no more than a tolerance.

    Args:
        metric: The metric.
        tolerance: The largest loss that is accepted, in scores.

    Raises:
        InputError: The metric is none, or a score of the whole data set, or no program can lose
            as much as the tolerance.
    """
    check_metric(metric)
    low, high = range_of(metric)
    if tolerance >= high - low:
        raise InputError(
            f"tolerance={tolerance:g}: the scores of {metric_name(metric)} lie between {low:g} "
            f"and {high:g}, so every program loses less than that: give less than {high - low:g}"
        )
    if isinstance(metric, DatasetMetric):
        raise InputError(
            f"{metric_name(metric)} is a score of the whole data set: no test of single rows is "
            "about it, and none shows that it is not worse; compare with a metric of single rows "
            "(a compile tests whether such a score is better)"
        )


async def _run_both(
    baseline: Module, program: Module, size: int, run: Callable[..., Any]
) -> tuple[Report, Report]:
    """Run both programs side by side, so that a slow minute of an endpoint affects both."""
    watch = _Watch(size)
    tasks = [
        asyncio.ensure_future(run(each, on_row=partial(watch.add, which)))
        for which, each in enumerate((baseline, program))
    ]
    try:
        first, second = await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    watch.judge(first.rows, second.rows)
    return first, second


class _Watch:
    """Stops a comparison whose runs fail in one way, or whose budget has ended.

    Args:
        size: Number of examples.
    """

    def __init__(self, size: int) -> None:
        self._size = min(BLOCK, size)
        self._blocks: tuple[dict[int, Row], dict[int, Row]] = ({}, {})

    def add(self, which: int, row: Row) -> None:
        """Count a row of the baseline (0) or the program (1)."""
        if row.failure is not None and row.failure.kind == "budget":
            # Which rows were done depends on how quick they were, so the sample is biased.
            raise BudgetExceeded(f"the budget ended before every example: {row.failure.message}")
        if row.index >= self._size:
            return
        self._blocks[which][row.index] = row
        if len(self._blocks[which]) == self._size:
            first, second = (
                list(block.values()) if len(block) == self._size else [] for block in self._blocks
            )
            self.judge(first, second)

    def judge(self, first: Sequence[Row], second: Sequence[Row]) -> None:
        """Stop if nothing can be said from these rows of both.

        Raises:
            LangprogError: Nothing can be said.
        """
        for name, rows in (("baseline", first), ("program", second)):
            broken = find_common_failure(rows, BROKEN)
            if broken is not None:
                raise LangprogError(f"nothing can be compared: of the {name}'s runs, {broken}")
        unreadable = find_common_failure(first, UNREADABLE)
        if unreadable is not None and find_common_failure(second, UNREADABLE) is not None:
            raise LangprogError(f"nothing can be compared: of both programs' runs, {unreadable}")


def _count_missing(first: Report, second: Report) -> int:
    """Return how many examples lack a score of one of the programs.

    Raises:
        InputError: No example has both.
        LangprogError: Too many lack one.
    """
    total, both = len(first.rows), zip(first.rows, second.rows, strict=True)
    missing = sum(before.score is None or after.score is None for before, after in both)
    if missing == total:
        raise InputError(
            f"no example was scored for both programs{_describe_first((second, first))}"
        )
    if missing > MAX_MISSING * total:
        raise LangprogError(
            f"nothing can be compared: {missing} of {total} examples have no score for one of "
            f"the programs{_describe_first((second, first))}, and the rest is a biased sample"
        )
    return missing


def _describe_first(reports: Sequence[Report]) -> str:
    """Return the first failure of a row without a score, in brackets."""
    for report in reports:
        for row in report.rows:
            if row.score is None and row.failure is not None:
                return f" ({row.failure.kind}: {row.failure.message})"
    return ""


def assert_not_worse(  # noqa: PLR0913 - its options are given by name
    program: Module,
    baseline: Module,
    data: Data,
    metric: Metric,
    *,
    tolerance: float = 0.05,
    concurrency: int = 64,
    budget: Budget | Ledger | None = None,
    lm: LanguageModel | str | None = None,
    max_errors: int = 0,
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
        max_errors: On how many examples the metric may raise.

    Returns:
        The comparison.

    Raises:
        AssertionError: It is worse, or too few examples show that it is not.
        InputError: An argument is wrong, the data does not fit, or no example was scored for both
            programs.
        LangprogError: (Nearly) all runs of a program failed in one way, or more than a tenth of
            the examples has no score: nothing can be said.
        BudgetExceeded: The budget ended first.
    """
    check_argument("assert_not_worse", "tolerance", tolerance, takes_number(0, above=True))
    _check_options((program, baseline), metric, "cost", tolerance, concurrency)
    low, high = range_of(metric)
    examples = examples_of(data)
    _check_size(cluster_rows(program, baseline, examples), tolerance / (high - low), tolerance)
    comparison = compare_programs(
        program,
        baseline,
        examples,
        metric,
        objective="cost",
        tolerance=tolerance,
        concurrency=concurrency,
        budget=budget,
        lm=lm,
        max_errors=max_errors,
    )
    claim = comparison.claims.primary
    if claim.holds:
        return comparison
    if comparison.claims.finding == "worse":
        why = "it is worse"
    else:
        why = f"it may lose {max(0.0, -claim.bound):.3f}"
    raise AssertionError(f"not shown to lose at most {tolerance:g}: {why} ({comparison})")


def _check_size(clusters: Sequence[str], share: float, tolerance: float) -> None:
    """Fail, before anything is paid, where even a draw on every input would show nothing."""
    count = len(set(clusters))
    fewest = fewest_clusters("not worse", tolerance=share, level=LEVEL)
    if count < fewest:
        raise AssertionError(
            f"not shown to lose at most {tolerance:g}: {count} different inputs cannot show that: "
            f"{fewest} are the fewest (nothing was run)"
        )


def _value(row: Row) -> float | None:
    return None if row.score is None else row.score.value
