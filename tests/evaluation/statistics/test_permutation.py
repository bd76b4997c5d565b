from __future__ import annotations

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from langprog.errors import InputError
from langprog.evaluation import mcnemar_p, sign_flip_p
from langprog.evaluation.statistics import permutation


def binomial_tail(wins: int, n: int) -> float:
    return sum(math.comb(n, k) for k in range(wins, n + 1)) / 2**n


def every_flip(differences: list[float]) -> float:
    sums = [0.0]
    for value in differences:
        if value:
            sums = [total + sign * value for total in sums for sign in (1, -1)]
    return sum(total >= sum(differences) - 1e-9 for total in sums) / len(sums)


@settings(deadline=None)
@given(st.integers(0, 12), st.integers(0, 12), st.integers(0, 5))
def test_sign_flips_of_binary_scores_are_mcnemars_test(wins: int, losses: int, ties: int) -> None:
    differences = [1.0] * wins + [-1.0] * losses + [0.0] * ties
    expected = binomial_tail(wins, wins + losses) if wins + losses else 1.0
    assert sign_flip_p(differences) == pytest.approx(expected)
    assert mcnemar_p(wins, losses) == pytest.approx(expected)
    both = sign_flip_p(differences, two_sided=True)
    assert both == pytest.approx(mcnemar_p(wins, losses, two_sided=True))
    assert both == pytest.approx(min(1.0, 2 * binomial_tail(max(wins, losses), wins + losses)))


VALUES = st.sampled_from([-1.0, -0.5, 0.0, 0.25, 0.5, 1.0, 1 / 3, -2 / 3, 0.1 + 0.2])


@settings(deadline=None)
@given(st.lists(VALUES, min_size=1, max_size=9))
def test_differences_with_a_common_unit_are_counted_exactly(differences: list[float]) -> None:
    assert sign_flip_p(differences) == pytest.approx(every_flip(differences))


@settings(deadline=None)
@given(st.lists(st.floats(-2, 2), min_size=1, max_size=9))
def test_any_few_differences_are_counted_exactly(differences: list[float]) -> None:
    differences = [value for value in differences if abs(value) > 1e-6] or [1.0]
    assert sign_flip_p(differences) == pytest.approx(every_flip(differences))


def test_the_ways_of_counting_agree() -> None:
    source = random.Random(3)
    shares = [source.choice([-0.5, 0.25, 0.5, 1.0]) for _ in range(30)]
    exact = sign_flip_p(shares)
    assert permutation._halved_tail([value for value in shares if value]) == pytest.approx(exact)
    drawn = permutation._drawn_tail(shares, 20_000, 0)
    assert drawn == pytest.approx(exact, abs=4 * math.sqrt(exact / 20_000))
    rough = [source.gauss(0.1, 1.0) for _ in range(36)]
    exact = sign_flip_p(rough)
    drawn = permutation._drawn_tail(rough, 20_000, 0)
    assert drawn == pytest.approx(exact, abs=4 * math.sqrt(exact / 20_000))


def test_many_rough_differences_are_drawn_the_same_every_time() -> None:
    differences = [math.sqrt(n) / 7 for n in range(1, 60)]
    assert sign_flip_p(differences) == pytest.approx(1 / 20_001)  # never 0
    assert sign_flip_p([-value for value in differences]) == pytest.approx(1.0)
    mixed = [value * (-1) ** (n % 3 == 0) for n, value in enumerate(differences)]
    assert sign_flip_p(mixed) == sign_flip_p(mixed)
    assert sign_flip_p(mixed) != sign_flip_p(mixed, seed=1)


def test_large_samples_are_counted_or_approximated() -> None:
    assert sign_flip_p([1.0, -1.0] * 5000) == pytest.approx(0.5, abs=0.01)
    assert mcnemar_p(5100, 4900) == pytest.approx(0.0233, abs=1e-3)
    source = random.Random(0)
    differences = [source.gauss(0.01, 1.0) for _ in range(20_001)]
    z = sum(differences) / math.sqrt(sum(value**2 for value in differences))
    expected = 0.5 * math.erfc(z / math.sqrt(2))
    assert sign_flip_p(differences) == pytest.approx(expected)


def test_two_sided_counts_both_ends() -> None:
    assert sign_flip_p([1.0] * 5, two_sided=True) == pytest.approx(2 / 32)
    assert sign_flip_p([-1.0] * 5, two_sided=True) == pytest.approx(2 / 32)
    assert sign_flip_p([1.0, -1.0], two_sided=True) == 1.0


def test_what_rounding_leaves_is_no_difference() -> None:
    assert sign_flip_p([0.1 + 0.2 - 0.3, 1.0, 1.0]) == 0.25
    assert sign_flip_p([]) == sign_flip_p([0.0, 0.0]) == 1.0


def test_the_test_holds_its_level_under_the_null() -> None:
    # Half of the rows tie, the others are won or lost by coin flips: p <= 5 % at most 5 % often.
    source = random.Random(1)
    rejected = 0
    for _ in range(2000):
        differences = [source.choice([-1.0, 0.0, 0.0, 1.0]) for _ in range(40)]
        rejected += sign_flip_p(differences) <= 0.05
    assert rejected / 2000 <= 0.06


def test_wrong_numbers_are_refused() -> None:
    with pytest.raises(InputError, match="finite"):
        sign_flip_p([1.0, math.nan])
    with pytest.raises(InputError, match="0 or more"):
        mcnemar_p(-1, 2)
