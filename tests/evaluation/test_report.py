from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import pytest
from pydantic import BaseModel

import langprog as lp
from langprog.errors import InputError
from langprog.evaluation import Failure, Row, mcnemar_p
from langprog.modules import RunUsage


class Person(BaseModel):
    name: str


def row(index: int, value: float | None, **changes: Any) -> Row:
    failure = None if value is not None else Failure("transport", "reset", "predict")
    prediction = None if value is None else lp.Prediction(team="a")
    score = None if value is None else lp.Score(value)
    usage = RunUsage(calls=2, cached_calls=1, prompt_tokens=10, completion_tokens=5, dollars=0.5)
    made = Row(index, lp.Example(ticket=str(index)), prediction, score, failure, usage)
    return replace(made, **changes)


def report(*values: float | None, metric: str = "exact") -> lp.Report:
    return lp.Report(tuple(row(index, value) for index, value in enumerate(values)), metric)


def test_rows_without_a_score_are_not_in_the_mean() -> None:
    found = report(1.0, 0.0, None, 1.0)
    assert found.mean == pytest.approx(2 / 3) and found.n_scored == 3 and found.n_missing == 1
    assert found.calls == 8 and found.cached_calls == 4 and found.tokens == 60
    assert found.dollars == 2.0
    assert str(found).startswith("0.667 [")
    assert str(found).endswith("on 3 rows, 1 without a score, failures: 1 transport")


def test_nothing_scored_is_no_zero() -> None:
    found = report(None, None)
    assert found.mean is None and found.interval is None and found.latency(0.5) is None
    assert str(found) == "no row could be scored (2 transport)"
    assert str(lp.Report(())) == "no row could be scored (there are none)"
    assert found.to_json()["mean"] is None


def test_an_unknown_price_is_not_for_free() -> None:
    found = lp.Report((row(0, 1.0), row(1, 1.0, usage=RunUsage(calls=1, dollars=None))))
    assert found.dollars is None and found.to_json()["dollars"] is None


def test_latency_is_of_the_rows_that_came_through() -> None:
    rows = [row(i, 1.0, usage=RunUsage(latency=float(i))) for i in range(5)]
    lost = row(5, None, usage=RunUsage(latency=100.0))
    found = lp.Report((*rows, lost))
    assert found.latency(0.5) == 2.0 and found.latency(1.0) == 4.0


def test_any_report_is_json() -> None:
    odd = lp.Prediction(person=Person(name="Al"), many=(1, math.nan), thing=object)
    rows = (row(0, 1.0, prediction=odd), row(1, 7.0), row(2, None))
    data = json.loads(json.dumps(lp.Report(rows, "m").to_json(), allow_nan=False))
    assert data["rows"][0]["prediction"]["person"] == {"name": "Al"}
    assert data["rows"][2]["failure"] == {
        "kind": "transport",
        "message": "reset",
        "path": "predict",
    }
    assert data["scored"] == 2 and data["missing"] == 1
    # One score without bounds has an infinite interval, which JSON does not have.
    assert lp.Report((row(0, 7.0),)).to_json()["interval"] is None


def test_comparisons_are_paired() -> None:
    before = report(1, 0, 0, None, 0.5, 0)
    after = report(1, 1, 1, 1, 0.25, None)
    found = lp.compare(before, after)
    assert found.difference == pytest.approx(1.75 / 4)
    assert (found.wins, found.losses, found.ties, found.n, found.missing) == (2, 1, 1, 4, 2)
    assert 0.05 < found.p_greater < found.p_value <= 1.0  # three pairs that differ prove nothing
    assert found.interval[0] < 1.75 / 4 < found.interval[1]
    assert "on 4 inputs (2 lack a score in one or both" in str(found)
    assert json.loads(json.dumps(found.to_json()))["n"] == 4


def test_a_score_that_one_report_lacks_counts_at_its_worst() -> None:
    found = lp.compare(report(*[1] * 20, *[0] * 10), report(*[1] * 10, *[None] * 10, *[1] * 10))
    assert (found.n, found.wins, found.missing) == (20, 10, 10)
    assert found.p_greater > 0.5 and found.p_value > 0.05 and found.interval[0] < 0


def test_right_or_wrong_scores_get_mcnemars_test() -> None:
    found = lp.compare(report(*[0] * 6, 1, 1), report(*[1] * 6, 0, 1))
    assert found.p_greater == pytest.approx(mcnemar_p(6, 1))
    assert found.p_value == pytest.approx(mcnemar_p(6, 1, two_sided=True))


@pytest.mark.parametrize("gains", range(4, 12))
def test_the_interval_leaves_out_zero_where_the_test_finds_a_difference(gains: int) -> None:
    before = report(*[0] * gains, *[1] * (12 - gains))
    for found in (lp.compare(before, report(*[1] * 12)), lp.compare(report(*[1] * 12), before)):
        low, high = found.interval
        assert (found.p_value <= 0.05) == (low > 0 or high < 0)
        assert low <= found.difference <= high


def test_copies_of_an_example_are_one_observation() -> None:
    before = lp.Report(tuple(row(place % 4, 0.0) for place in range(40)))
    after = lp.Report(tuple(row(place % 4, 1.0) for place in range(40)))
    found = lp.compare(before, after)
    assert (found.n, found.wins) == (4, 4)
    assert found.p_greater == pytest.approx(1 / 16)
    apart = lp.compare(before, after, clusters=range(40))
    assert apart.n == 40


def test_scores_outside_the_range_are_refused_until_it_is_said() -> None:
    before, after = report(1, 2, 3), report(5, 4, 3)
    with pytest.raises(InputError, match="outside the range 0 to 1"):
        lp.compare(before, after)
    found = lp.compare(before, after, score_range=(1, 5))
    assert found.difference == pytest.approx(2.0)
    assert -4.0 <= found.interval[0] <= found.interval[1] <= 4.0


def test_what_rounding_makes_is_no_win() -> None:
    found = lp.compare(report(0.3, 0.3), report(0.1 + 0.2, 0.3))
    assert found.ties == 2 and found.p_value == 1.0


def test_only_like_is_compared_with_like() -> None:
    with pytest.raises(InputError, match="3 and 2 rows"):
        lp.compare(report(1, 1, 1), report(1, 1))
    with pytest.raises(InputError, match="scored by exact and f1"):
        lp.compare(report(1), report(1, metric="f1"))
    with pytest.raises(InputError, match="row 0 of the reports is not the same example"):
        lp.compare(report(1), lp.Report((row(9, 1.0),)))
    with pytest.raises(InputError, match="share no row"):
        lp.compare(report(1, None), report(None, 1))


def grade(example: lp.Example, prediction: lp.Prediction) -> float:
    return float(example.score)


def evaluate(rows: list[lp.Example], bounds: tuple[float, float] = (0, 1)) -> lp.Report:
    metric = lp.metric(range=bounds)(lambda example, prediction: grade(example, prediction))
    lm = lp.ScriptedLM(lambda request: "[[y]]\na")
    return lp.evaluate(lp.Predict("x -> y"), rows, metric, lm=lm)


@pytest.mark.parametrize("score", [1, 3, 5])
def test_equal_scores_on_another_range_have_an_interval_with_a_width(score: float) -> None:
    stars = evaluate([lp.Example(x=f"row {n}", score=score) for n in range(20)], (1, 5))
    unit = evaluate([lp.Example(x=f"row {n}", score=(score - 1) / 4) for n in range(20)])
    assert stars.interval is not None and unit.interval is not None
    assert stars.interval == pytest.approx([1 + 4 * end for end in unit.interval])
    assert stars.interval[0] <= score <= stars.interval[1]
    assert stars.interval[1] - stars.interval[0] > 0.2


def test_rows_with_the_same_inputs_are_one_observation_of_the_mean() -> None:
    once = evaluate([lp.Example(x=f"row {n}", score=n % 2) for n in range(10)])
    rows = [lp.Example(x=f"row {n % 10}", id=n, score=n % 10 % 2) for n in range(20)]
    often = evaluate(rows)
    assert often.interval == pytest.approx(once.interval) and often.mean == once.mean
    assert "on 20 rows with 10 distinct inputs" in str(often)
    assert (often.n_inputs, often.to_json()["inputs"]) == (10, 10)
    assert "distinct" not in str(once)


def test_an_input_that_is_repeated_most_often_widens_the_interval() -> None:
    rows = [lp.Example(x="usual", score=1)] * 50
    rows += [lp.Example(x=f"row {n}", score=0) for n in range(10)]
    found = evaluate(rows)
    assert found.interval is not None and found.mean == pytest.approx(50 / 60)
    assert found.interval[0] < 0.3


def test_an_id_column_makes_no_more_observations() -> None:
    rows = [lp.Example(x=f"row {n % 3}", id=n, score=0) for n in range(60)]
    better = [row.with_(score=1) for row in rows]
    before, after = evaluate(rows), evaluate(better)
    after = replace(after, rows=tuple(map(moved, after.rows, before.rows)))
    found = lp.compare(before, after)
    assert (found.n, found.wins) == (3, 3) and found.p_value > 0.05


def moved(row: Row, to: Row) -> Row:
    return replace(row, example=to.example)


def test_the_range_of_the_metric_is_that_of_the_comparison() -> None:
    low = evaluate([lp.Example(x=f"row {n}", score=1) for n in range(12)], (0, 10))
    high = replace(low, rows=tuple(replace(row, score=lp.Score(2.0)) for row in low.rows))
    found = lp.compare(low, high)
    assert found == lp.compare(low, high, score_range=(0, 10))
    with pytest.raises(InputError, match="two ranges"):
        lp.compare(low, replace(high, score_range=(0.0, 1.0)))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            (lp.Predict("x -> y"), lp.Predict("x -> y")),
            "takes two reports",
        ),
        ((None, None), "not a NoneType"),
    ],
)
def test_only_reports_are_compared(arguments: tuple[Any, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        lp.compare(*arguments)


@pytest.mark.parametrize("clusters", [5, "ab", [[1], [2]], [1]])
def test_clusters_are_a_list_of_names(clusters: Any) -> None:
    with pytest.raises(InputError, match="cluster"):
        lp.compare(report(0, 1), report(1, 1), clusters=clusters)
    with pytest.raises(InputError, match="range="):
        lp.compare(report(0, 1), report(1, 1), score_range="x")  # type: ignore[arg-type]  # the mistake


def test_a_comparison_says_what_became_of_missing_scores() -> None:
    found = lp.compare(report(0, 0, 1), report(1, None, 1))
    assert "(1 lack a score in one or both; in one, it counts at its worst)" in str(found)


def test_reasks_and_unmet_suggestions_are_counted_and_said() -> None:
    rows = [row(i, 1.0, usage=RunUsage(reasks=2, unmet=i)) for i in range(2)]
    counted = lp.Report(tuple(rows))
    assert (counted.reasks, counted.unmet) == (4, 1)
    assert (counted.to_json()["reasks"], counted.to_json()["unmet"]) == (4, 1)
    assert str(counted).endswith("on 2 rows, 4 asked again after a check, 1 suggestions unmet")
    assert "check" not in str(lp.Report((row(0, 1.0),)))
