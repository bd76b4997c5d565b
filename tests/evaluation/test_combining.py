from __future__ import annotations

from typing import Any

import pytest

import langprog as lp
from langprog.errors import InputError, MetricError
from langprog.evaluation import all_of, judged, range_of

ROWS = [lp.Example(ticket=f"ticket {n}", team="a") for n in range(4)]


def half(example: lp.Example, prediction: lp.Prediction) -> lp.Score:
    return lp.Score(0.5, "half")


async def full(example: lp.Example, prediction: lp.Prediction) -> bool:
    return True


@lp.metric(range=(1, 5))
def stars(example: lp.Example, prediction: lp.Prediction) -> int:
    return 5


def report(metric: Any) -> lp.Report:
    lm = lp.ScriptedLM(lambda request: "[[team]]\na")
    return lp.evaluate(lp.Predict("ticket -> team"), ROWS, metric, lm=lm)


def test_without_weights_the_lowest_counts() -> None:
    assert report(all_of(half, full)).mean == 0.5


def test_weights_make_a_mean() -> None:
    found = report(all_of(half, full, weights=[1, 3]))
    assert found.mean == pytest.approx(0.875)
    assert found.rows[0].score is not None and found.rows[0].score.feedback == "half"


def test_weighted_ranges_add_up() -> None:
    metric = all_of(full, stars, weights=[1, 1])
    assert range_of(metric) == (0.5, 3.0)
    assert report(metric).mean == 3.0


@pytest.mark.parametrize("weights", [[1], [1, 2, 3], [0, 1], [-1, 2], [float("nan"), 1]])
def test_weights_that_do_not_fit_are_refused(weights: list[float]) -> None:
    with pytest.raises(InputError, match="weight"):
        all_of(half, full, weights=weights)


def test_the_lowest_of_different_ranges_is_refused() -> None:
    with pytest.raises(InputError, match="different ranges"):
        all_of(half, stars)


def test_a_judge_declares_its_range() -> None:
    judge = lp.Predict("team -> score: int")

    def reply(request: lp.Request) -> str:
        return "[[score]]\n4" if "[[score]]" in str(request.messages[0].content) else "[[team]]\na"

    lm, program = lp.ScriptedLM(reply), lp.Predict("ticket -> team")
    graded = lp.evaluate(program, ROWS, judged(judge, range=(1, 5)), lm=lm)
    assert graded.mean == 4.0
    with pytest.raises(MetricError, match="its range is 0 to 1"):
        lp.evaluate(program, ROWS, judged(judge), lm=lm)
