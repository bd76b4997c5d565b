from __future__ import annotations

import functools
from fractions import Fraction
from typing import Any

import numpy
import pytest

import langprog as lp
from langprog.errors import MetricError
from langprog.evaluation import as_score, check_metric, exact, metric_name


@pytest.mark.parametrize(
    ("given", "value"),
    [
        (True, 1.0),
        (0, 0.0),
        (0.25, 0.25),
        (Fraction(1, 4), 0.25),
        (numpy.float32(0.5), 0.5),
        (numpy.bool_(True), 1.0),
        (lp.Score(0.5, "half of it"), 0.5),
    ],
)
def test_whatever_is_a_number_is_a_score(given: Any, value: float) -> None:
    score = as_score(given)
    assert score.value == value and type(score.value) is float


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (None, "every branch"),
        ("0.5", "not str"),
        ({"points": 1}, r"dict with points: return lp.Score\(value, feedback"),
        ({"score": 1, "value": 2}, "lp.Score"),
        ((1.0, 2.0), r"tuple of 2: return a number, or lp.Score\("),
        ((1.0, "good", "really"), r"lp.Score\("),
        (10**400, "too large for a float"),
        (float("nan"), "finite"),
        (numpy.array([1.0, 2.0]), "not ndarray"),
    ],
)
def test_what_is_no_number_is_no_score(given: Any, words: str) -> None:
    with pytest.raises(MetricError, match=words):
        as_score(given)


def test_a_score_holds_a_number_and_words() -> None:
    with pytest.raises(MetricError, match="finite"):
        lp.Score(float("inf"))
    with pytest.raises(MetricError, match="must be text"):
        lp.Score(1.0, 3)  # type: ignore[arg-type]  # the mistake under test


def test_metrics_that_cannot_be_called_are_refused() -> None:
    check_metric(exact())
    check_metric(lambda example, prediction, trace=None: 1.0)
    with pytest.raises(MetricError, match=r"cannot be called as metric\(example, prediction\)"):
        check_metric(lambda example: 1.0)
    with pytest.raises(MetricError, match="not callable"):
        check_metric("exact")
    with pytest.raises(MetricError, match=r"judged\(program\)"):
        check_metric(lp.Predict("ticket -> score: float"))


def test_metrics_are_named_the_same_in_every_process() -> None:
    assert metric_name(exact("team")) == "exact('team')"
    assert metric_name(functools.partial(as_score)) == "as_score"
    assert "0x" not in metric_name(object())
