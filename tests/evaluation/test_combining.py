from __future__ import annotations

from typing import Any

import pytest

import langprog as lp
from langprog.errors import InputError, MetricError
from langprog.evaluation import (
    DatasetMetric,
    all_of,
    compare_sets,
    exact,
    judged,
    macro_f1,
    matthews,
    range_of,
)

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


@pytest.mark.parametrize(
    "weights",
    [[1], [1, 2, 3], [0, 1], [-1, 2], [float("nan"), 1], "ab", ["a", "b"], [None, 1], 1, []],
)
def test_weights_that_do_not_fit_are_refused(weights: Any) -> None:
    with pytest.raises(InputError, match="weight"):
        all_of(half, full, weights=weights)


@pytest.mark.parametrize("arguments", [{}, {"row": None}])
def test_a_metric_of_a_data_set_needs_one_of_rows(arguments: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=r"write @lp\.dataset_metric\(row="):
        lp.dataset_metric(**arguments)
    with pytest.raises(InputError, match=r"write @lp\.dataset_metric\(row="):
        lp.dataset_metric(half)


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


@lp.dataset_metric(row=exact("y"))
def raises(rows: object) -> float:
    raise KeyError("no such class")


def test_a_score_of_a_whole_data_set_is_no_part_of_another() -> None:
    with pytest.raises(InputError, match=r"macro_f1\(y\) is a score of the whole data set"):
        all_of(macro_f1("y"))
    with pytest.raises(InputError, match="use it alone"):
        all_of(exact("y"), matthews("y"), weights=[1, 2])
    with pytest.raises(InputError, match="row= takes metrics of single rows"):
        lp.dataset_metric(row=macro_f1("y"))


def test_an_evaluation_reports_the_score_of_the_data_set() -> None:
    rows = [lp.Example(x=f"row {n}", y="rare" if n < 2 else "usual") for n in range(100)]
    lm = lp.ScriptedLM(lambda request: "[[y]]\nusual")
    report = lp.evaluate(lp.Predict("x -> y"), rows, macro_f1("y"), lm=lm)
    pairs = [(row.example, row.prediction) for row in report.rows]
    assert report.mean == macro_f1("y").score_rows(pairs) < 0.5
    assert report.interval is None and str(report).startswith("0.495 for all of 100 rows together")
    assert report.to_json()["mean"] == report.mean and report.to_json()["interval"] is None
    with pytest.raises(InputError, match="no test of single rows is about it"):
        lp.compare(report, report)


@pytest.mark.parametrize("value", [None, "x", lp.Score(1.0), [1.0], float("nan")])
def test_what_is_no_score_of_a_data_set_is_one_sentence(value: object) -> None:
    metric = lp.dataset_metric(row=exact("y"))(lambda rows: value)  # type: ignore[arg-type,return-value]  # what is tested
    with pytest.raises(MetricError, match="must return"):
        metric.score_rows([])


def test_a_function_of_a_data_set_that_raises_or_waits_is_one_sentence() -> None:
    with pytest.raises(MetricError, match="raises failed on 0 rows: KeyError: 'no such class'"):
        raises.score_rows([])

    async def later(rows: object) -> float:
        return 1.0

    with pytest.raises(MetricError, match="a plain function of its rows, which .*later is not"):
        lp.dataset_metric(row=exact("y"))(later)  # type: ignore[arg-type]  # what is tested


def test_a_test_reads_each_row_once() -> None:
    seen: list[str] = []

    def read(example: lp.Example, prediction: lp.Prediction | None) -> bool:
        seen.append(example.x)
        return prediction is not None

    metric = DatasetMetric(lambda rows: sum(rows) / len(rows), exact("y"), read=read)
    rows = [(lp.Example(x=str(n), y="a"), lp.Prediction(y="a")) for n in range(10)]
    values = metric.read_rows(rows)
    compared = compare_sets(metric.score_read, values, values)
    assert compared.after == 1.0 and len(seen) == 10
    assert metric.score_rows(rows) == 1.0
    bad = DatasetMetric(lambda rows: 0.0, exact("y"), name="bad", read=lambda *_: 1 / 0)
    with pytest.raises(MetricError, match="bad failed on 10 rows: ZeroDivisionError"):
        bad.score_rows(rows)
