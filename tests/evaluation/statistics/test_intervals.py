from __future__ import annotations

import math
import random
from collections.abc import Callable

import pytest

from langprog.evaluation.statistics import mean_interval, quantile, student_quantile


@pytest.mark.parametrize(
    ("probability", "freedom", "value"),
    [  # from printed tables of Student's t
        (0.975, 1, 12.706),
        (0.975, 2, 4.303),
        (0.975, 5, 2.571),
        (0.975, 30, 2.042),
        (0.95, 10, 1.812),
        (0.995, 4, 4.604),
        (0.025, 10, -2.228),
        (0.975, 100_000, 1.960),
    ],
)
def test_students_quantiles_are_those_of_the_tables(
    probability: float, freedom: float, value: float
) -> None:
    assert student_quantile(probability, freedom) == pytest.approx(value, abs=2e-3)


def binomial(n: int, share: float) -> list[float]:
    return [math.comb(n, k) * share**k * (1 - share) ** (n - k) for k in range(n + 1)]


@pytest.mark.parametrize("n", [10, 25, 60, 120])
def test_the_interval_of_a_binary_mean_covers_it_whatever_it_is(n: int) -> None:
    intervals = [mean_interval([1.0] * k + [0.0] * (n - k)) for k in range(n + 1)]
    covered = []
    for share in (step / 200 for step in range(1, 200)):
        hits = [low <= share <= high for low, high in intervals]
        covered.append(sum(p for p, hit in zip(binomial(n, share), hits, strict=True) if hit))
    assert min(covered) >= 0.92  # Wilson's interval falls to 0.84
    assert 0.95 <= sum(covered) / len(covered) <= 0.97


def simulated(
    interval: Callable[[list[float]], tuple[float, float]],
    draw: Callable[[random.Random], float],
    truth: float,
    n: int,
) -> float:
    source = random.Random(n)
    hits = 0
    for _ in range(1500):
        low, high = interval([draw(source) for _ in range(n)])
        hits += low <= truth <= high
    return hits / 1500


GRADED: dict[str, tuple[Callable[[random.Random], float], float]] = {
    "spread": (lambda r: r.random(), 0.5),
    "halves": (lambda r: r.choice([0.0, 0.5, 1.0, 1.0, 1.0]), 0.7),
    "mostly right": (lambda r: 1.0 if r.random() < 0.9 else r.random(), 0.95),
    "seldom right": (lambda r: r.betavariate(0.5, 3), 0.5 / 3.5),
}


@pytest.mark.parametrize("kind", GRADED)
@pytest.mark.parametrize("n", [5, 20, 60])
def test_the_interval_of_a_graded_mean_covers_it(kind: str, n: int) -> None:
    draw, truth = GRADED[kind]
    assert simulated(mean_interval, draw, truth, n) >= 0.94


def test_intervals_do_not_close_when_all_values_are_equal() -> None:
    low, high = mean_interval([1.0] * 20)
    assert low < 0.95 and high == pytest.approx(1.0)
    low, high = mean_interval([0.5] * 20)
    assert low < 0.5 < high


def test_intervals_stay_within_what_is_possible() -> None:
    low, high = mean_interval([1.0])
    assert 0 <= low < high <= 1
    assert mean_interval([7.0]) == (-math.inf, math.inf)  # one value, no bounds: nothing is known


def test_scores_beyond_one_get_students_interval() -> None:
    low, high = mean_interval([1.0, 2.0, 3.0, 4.0, 5.0])
    assert (low, high) == (pytest.approx(1.037, abs=2e-3), pytest.approx(4.963, abs=2e-3))


def test_nothing_has_no_interval() -> None:
    with pytest.raises(ValueError, match="no "):
        mean_interval([])
    with pytest.raises(ValueError, match="no values"):
        quantile([], 0.5)


def test_quantiles_are_interpolated() -> None:
    assert quantile([4.0, 1.0, 3.0, 2.0], 0.5) == 2.5
    assert quantile([1.0], 0.95) == 1.0
