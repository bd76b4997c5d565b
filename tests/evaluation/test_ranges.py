from __future__ import annotations

import math
from typing import Any

import pytest

import langprog as lp
from langprog.errors import InputError, MetricError
from langprog.evaluation import range_of

ROWS = [lp.Example(ticket=f"ticket {n}", team="a") for n in range(6)]


def report(metric: Any) -> lp.Report:
    return lp.evaluate(
        lp.Predict("ticket -> team"), ROWS, metric, lm=lp.ScriptedLM(lambda _: "[[team]]\na")
    )


def test_a_metric_lies_between_0_and_1_unless_it_says_otherwise() -> None:
    @lp.metric(range=(1, 5))
    def grade(example: lp.Example, prediction: lp.Prediction) -> int:
        return 4

    assert range_of(lambda example, prediction: 1) == (0.0, 1.0)
    assert range_of(grade) == (1.0, 5.0)
    assert report(grade).mean == 4.0


def test_an_async_metric_keeps_its_range() -> None:
    @lp.metric(range=(-1, 0))
    async def penalty(example: lp.Example, prediction: lp.Prediction) -> float:
        return -0.5

    assert report(penalty).mean == -0.5


def test_an_object_may_declare_its_range() -> None:
    class Grade:
        score_range = (0, 10)

        def __call__(self, example: lp.Example, prediction: lp.Prediction) -> float:
            return 7.5

    assert report(Grade()).mean == 7.5


@pytest.mark.parametrize("score", [5, -0.01, 1.001, True + 1, lp.Score(2.0)])
def test_a_score_outside_the_range_is_an_error_that_says_what_to_do(score: Any) -> None:
    with pytest.raises(MetricError, match=r"its range is 0 to 1: declare the range, @lp.metric"):
        report(lambda example, prediction: score)


def test_rounding_does_not_leave_the_range() -> None:
    assert report(lambda example, prediction: 0.1 + 0.2 + 0.7 + 1e-12).mean == 1.0
    with pytest.raises(MetricError, match="returned 1.0000001, and its range is 0 to 1"):
        report(lambda example, prediction: 1.0000001)


@pytest.mark.parametrize(
    "range", [(1, 1), (5, 1), (0, math.inf), (math.nan, 1), (1,), 5, None, ("a", "b")]
)
def test_a_range_that_is_none_is_refused(range: Any) -> None:
    with pytest.raises(InputError, match="write the worst and the best score"):
        lp.metric(range=range)


def test_a_failed_row_gets_the_worst_score_of_the_range() -> None:
    @lp.metric(range=(1, 5))
    def grade(example: lp.Example, prediction: lp.Prediction) -> int:
        return 5

    unreadable = lp.ScriptedLM(lambda request: "nothing to read here")
    found = lp.evaluate(lp.Predict("ticket -> stars: int"), ROWS, grade, lm=unreadable)
    assert found.mean == 1.0 and found.failures_by_kind == {"parse": 6}


def test_the_decorator_may_stand_without_brackets() -> None:
    @lp.metric
    def right(example: lp.Example, prediction: lp.Prediction) -> bool:
        return True

    assert range_of(right) == (0.0, 1.0) and report(right).mean == 1.0


@pytest.mark.parametrize("value", [5, (1, 5), "exact", max])
def test_what_is_no_function_cannot_declare_a_range(value: Any) -> None:
    with pytest.raises(InputError, match=r"write @lp\.metric\(range=\(1, 5\)\) above def"):
        lp.metric(value)
    with pytest.raises(InputError, match=r"write @lp\.metric\(range=\(1, 5\)\) above def"):
        lp.metric(range=(1, 5))(value)
