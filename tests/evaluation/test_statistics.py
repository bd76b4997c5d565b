from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from langprog.evaluation.statistics import (
    mean_interval,
    paired_interval,
    quantile,
    sign_flip_p,
    student_quantile,
)


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
    ],
)
def test_students_quantiles_are_those_of_the_tables(
    probability: float, freedom: float, value: float
) -> None:
    assert student_quantile(probability, freedom) == pytest.approx(value, abs=2e-3)


def binomial_tail(wins: int, n: int) -> float:
    return sum(math.comb(n, k) for k in range(wins, n + 1)) / 2**n


@given(st.integers(0, 12), st.integers(0, 12), st.integers(0, 5))
def test_sign_flips_of_binary_scores_are_mcnemars_test(wins: int, losses: int, ties: int) -> None:
    differences = [1.0] * wins + [-1.0] * losses + [0.0] * ties
    expected = binomial_tail(wins, wins + losses) if wins + losses else 1.0
    assert sign_flip_p(differences) == pytest.approx(expected)


@given(st.lists(st.sampled_from([-1.0, -0.5, 0.0, 0.25, 0.5, 1.0]), min_size=1, max_size=9))
def test_the_sign_flip_test_counts_every_flip(differences: list[float]) -> None:
    sizes = [abs(value) for value in differences if value]
    sums = [0.0]
    for size in sizes:
        sums = [total + sign * size for total in sums for sign in (1, -1)]
    expected = sum(total >= sum(differences) - 1e-12 for total in sums) / len(sums)
    assert sign_flip_p(differences) == pytest.approx(expected if sizes else 1.0)


def test_differences_off_any_grid_are_sampled_and_stay_valid() -> None:
    differences = [math.sqrt(n) / 7 for n in range(1, 40)]
    assert 0 < sign_flip_p(differences) <= 1e-3
    assert sign_flip_p([-value for value in differences]) == pytest.approx(1.0, abs=1e-3)


def test_two_sided_counts_both_ends() -> None:
    assert sign_flip_p([1.0] * 5, two_sided=True) == pytest.approx(2 / 32)
    assert sign_flip_p([-1.0] * 5, two_sided=True) == pytest.approx(2 / 32)


def coverage(draw_interval: object, truth: float, rounds: int) -> float:
    hits = 0
    for _ in range(rounds):
        low, high = draw_interval()  # type: ignore[operator]  # a closure of the test
        hits += low <= truth <= high
    return hits / rounds


@pytest.mark.parametrize("share", [0.05, 0.3, 0.5, 0.95])
@pytest.mark.parametrize("n", [12, 60])
def test_the_mean_interval_covers_a_binary_truth(share: float, n: int) -> None:
    random_numbers = random.Random(int(share * 100) + n)

    def interval() -> tuple[float, float]:
        return mean_interval([float(random_numbers.random() < share) for _ in range(n)])

    assert 0.92 <= coverage(interval, share, 2000) <= 0.99


@pytest.mark.parametrize("n", [20, 80])
def test_the_paired_interval_covers_the_true_difference(n: int) -> None:
    random_numbers = random.Random(n)
    # won, lost, tied with these chances; the true mean difference is 0.1
    draws = random_numbers.choices

    def interval() -> tuple[float, float]:
        return paired_interval(draws([1.0, -1.0, 0.0], weights=[0.25, 0.15, 0.6], k=n))

    assert 0.93 <= coverage(interval, 0.1, 2000) <= 0.985


def test_intervals_do_not_close_when_all_values_are_equal() -> None:
    low, high = mean_interval([1.0] * 20)
    assert low < 0.95 and high == pytest.approx(1.0)
    low, high = mean_interval([0.5] * 20)
    assert low < 0.5 < high
    low, high = paired_interval([0.0] * 20)
    assert low < 0 < high


def test_nothing_has_no_interval() -> None:
    for function in (mean_interval, paired_interval):
        with pytest.raises(ValueError, match="no "):
            function([])
    with pytest.raises(ValueError, match="no values"):
        quantile([], 0.5)


def test_quantiles_are_interpolated() -> None:
    assert quantile([4.0, 1.0, 3.0, 2.0], 0.5) == 2.5
    assert quantile([1.0], 0.95) == 1.0
