from __future__ import annotations

import math
import random
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from langprog.errors import InputError
from langprog.evaluation import (
    PairedScores,
    bound_mean,
    fewest_clusters,
    mcnemar_p,
    mean_p,
    paired_mean_interval,
)
from langprog.evaluation.statistics.trinomial import Outcome, exact_bound


def pairs(wins: int, losses: int, ties: int) -> PairedScores:
    return PairedScores(
        [0.0] * wins + [1.0] * losses + [0.0] * ties, [1.0] * wins + [0.0] * losses + [0.0] * ties
    )


def changed(*differences: float) -> PairedScores:
    """Scores around the middle of their range."""
    return PairedScores(
        [0.5 - value / 2 for value in differences], [0.5 + value / 2 for value in differences]
    )


COUNTS = st.integers(0, 15)


@settings(deadline=None, max_examples=40)
@given(COUNTS, COUNTS, COUNTS.filter(bool), st.sampled_from([0.05, 0.04, 0.01]))
def test_right_or_wrong_scores_are_tested_by_mcnemar(
    w: int, lo: int, t: int, level: float
) -> None:
    test = bound_mean(pairs(w, lo, t), level=level)
    assert test.method == "exact"
    assert test.p_values[0.0] == pytest.approx(mcnemar_p(w, lo))
    assert (test.bound > 0) == (mcnemar_p(w, lo) <= level)


MARGINS = (0.0, -0.02, -0.05, -0.2, 0.05)
SCORES = st.lists(
    st.tuples(st.sampled_from([0.0, 0.25, 0.5, 1.0, 0.9]), st.sampled_from([0.0, 0.5, 1.0, 0.8])),
    min_size=1,
    max_size=90,
)


def check_that_bound_and_claims_agree(data: PairedScores, level: float) -> None:
    test = bound_mean(data, margins=MARGINS, level=level)
    assert mean_p(data, -0.05, level=level) == test.p_values[-0.05]
    for margin, p in test.p_values.items():
        rejected = p <= level
        assert rejected == (test.bound > 0 if margin == 0 else test.bound >= margin - 1e-6)
    ordered = [test.p_values[margin] for margin in sorted(MARGINS)]
    rejected_first = [p <= level for p in ordered]
    assert rejected_first == sorted(rejected_first, reverse=True)


@settings(deadline=None, max_examples=50)
@given(SCORES, st.sampled_from([0.05, 0.025, 0.0033]))
def test_a_margin_is_rejected_where_the_bound_reaches_it(
    scores: list[tuple[float, float]], level: float
) -> None:
    check_that_bound_and_claims_agree(PairedScores(*zip(*scores, strict=True)), level)


@pytest.mark.parametrize("shift", [-0.1, 0.0, 0.3])
def test_the_bound_is_the_last_margin_that_is_rejected(shift: float) -> None:
    source = random.Random(3)
    data = changed(*(source.uniform(-0.4, 0.6) + shift for _ in range(60)))
    bound = bound_mean(data).bound
    test = bound_mean(data, margins=(bound, bound + 0.011))
    assert test.bound == bound and test.method == "betting"
    assert test.p_values[bound] <= 0.05 < test.p_values[bound + 0.011]


@settings(deadline=None, max_examples=40)
@given(COUNTS, COUNTS, st.integers(1, 80), st.sampled_from([0.05, 0.025, 0.0033]))
def test_so_it_is_for_right_or_wrong_scores(w: int, lo: int, t: int, level: float) -> None:
    check_that_bound_and_claims_agree(pairs(w, lo, t), level)


@settings(deadline=None, max_examples=30)
@given(COUNTS, COUNTS, COUNTS.filter(bool), st.sampled_from([0.05, 0.025]))
def test_a_further_win_never_lowers_the_bound(w: int, lo: int, t: int, level: float) -> None:
    tied, won = (
        bound_mean(pairs(*counts), level=level) for counts in ((w, lo, t), (w + 1, lo, t - 1))
    )
    assert won.bound >= tied.bound - 1e-6


@pytest.mark.parametrize("level", [0.05, 0.01])
@pytest.mark.parametrize("n", [3, 9])
def test_the_exact_bound_holds_its_level_for_every_chance_of_winning(n: int, level: float) -> None:
    bounds = {
        (wins, losses): exact_bound(Outcome(wins, losses, n), level)
        for wins in range(n + 1)
        for losses in range(n + 1 - wins)
    }
    for difference in (step / 20 for step in range(-19, 20)):
        for untied in (abs(difference) + (1 - abs(difference)) * step / 10 for step in range(11)):
            won, lost = (untied + difference) / 2, (untied - difference) / 2
            wrong = sum(
                math.comb(n, w) * math.comb(n - w, lo)
                * won**w * lost**lo * max(0.0, 1 - untied) ** (n - w - lo)
                for (w, lo), bound in bounds.items()
                if bound > difference + 1e-9
            )  # fmt: skip
            assert wrong <= level * 1.001


@pytest.mark.parametrize(("tolerance", "n"), [(0.05, 59), (0.02, 149), (0.1, 29), (0.2, 14)])
def test_ties_alone_show_a_tolerance_from_the_fewest_clusters_on(tolerance: float, n: int) -> None:
    assert fewest_clusters("not worse", tolerance=tolerance) == n
    for count, shown in ((n - 1, False), (n, True), (n + 1, True)):
        test = bound_mean(pairs(0, 0, count), margins=(-tolerance,))
        assert (test.p_values[-tolerance] <= 0.05) == shown


def test_later_attempts_need_more_clusters() -> None:
    assert fewest_clusters("better") == 5
    assert fewest_clusters("better", level=0.0033) == 9
    n = fewest_clusters("not worse", tolerance=0.05, level=0.0033)
    assert n == 112
    assert bound_mean(pairs(0, 0, n), level=0.0033).bound >= -0.05
    assert bound_mean(pairs(0, 0, n - 1), level=0.0033).bound < -0.05


def test_five_wins_are_better_and_four_are_not() -> None:
    assert bound_mean(pairs(5, 0, 20)).bound > 0 >= bound_mean(pairs(4, 0, 20)).bound
    assert bound_mean(pairs(5, 0, 0)).p_values[0.0] == pytest.approx(1 / 32)


def rate(draw: list[float], weights: list[float], n: int, margin: float, seed: int) -> float:
    source = random.Random(seed)
    samples = 400
    claims = 0
    seen: dict[tuple[float, ...], bool] = {}
    for _ in range(samples):
        drawn = tuple(source.choices(draw, weights, k=n))
        # The exact test does not look at the order.
        key = tuple(sorted(drawn)) if set(drawn) <= {-1.0, 0.0, 1.0} else drawn
        if key not in seen:
            test = bound_mean(changed(*drawn), margins=(margin,))
            seen[key] = test.p_values[margin] <= 0.05
        claims += seen[key]
    return claims / samples


@pytest.mark.parametrize("n", [10, 40])
@pytest.mark.parametrize(
    ("draw", "weights", "margin"),
    [
        ([0.05, -0.95], [0.95, 0.05], 0.0),  # many small gains, few large losses
        ([-0.5, -0.25, 0.0, 0.25, 0.5], [1, 2, 4, 2, 1], 0.0),
        ([0.0, -0.9], [0.9444, 0.0556], -0.05),
        ([1.0, -1.0, 0.5, 0.0], [0.2, 0.25, 0.1, 0.45], 0.0),  # some samples are 0 and 1 alone
    ],
)
def test_false_claims_are_rare(
    draw: list[float], weights: list[float], n: int, margin: float
) -> None:
    # 400 samples at 5 %: above 8 % in one of 1,000 runs.
    assert rate(draw, weights, n, margin, seed=n) <= 0.08


def test_large_gains_are_claimed() -> None:
    source = random.Random(5)
    test = bound_mean(changed(*(source.uniform(-0.3, 0.7) for _ in range(40))))
    assert test.method == "betting"
    assert test.p_values[0.0] <= 0.05
    assert 0.0 < test.bound < 0.2


def test_the_order_of_rows_does_not_matter_where_clusters_have_names() -> None:
    source = random.Random(1)
    rows = [(source.random(), source.random(), f"row {number}") for number in range(30)]
    shuffled = source.sample(rows, len(rows))
    tests = [
        bound_mean(PairedScores(*map(list, zip(*order, strict=True))))
        for order in (rows, shuffled)
    ]
    assert tests[0] == tests[1]


def test_bounds_move_with_the_range_of_the_scores() -> None:
    small = PairedScores([0.0, 0.25, 0.5] * 10, [0.5, 0.5, 1.0] * 10)
    large = PairedScores([1.0, 2.0, 3.0] * 10, [3.0, 3.0, 5.0] * 10, score_range=(1.0, 5.0))
    first, second = bound_mean(small), bound_mean(large)
    assert second.bound == pytest.approx(4 * first.bound)
    assert second.p_values == first.p_values


def test_the_interval_has_half_the_level_on_each_side() -> None:
    data = pairs(12, 3, 20)
    low, high = paired_mean_interval(data)
    assert low == bound_mean(data, level=0.025).bound
    assert high == -bound_mean(data.swapped(), level=0.025).bound
    assert low < data.difference < high


def test_the_work_grows_no_faster_than_the_rows() -> None:
    source = random.Random(3)

    def seconds(n: int) -> float:
        data = changed(*(source.uniform(-0.5, 0.5) for _ in range(n)))
        right = pairs(n // 4, n // 5, n - n // 4 - n // 5)
        started = time.process_time()
        bound_mean(data)
        bound_mean(right)
        return time.process_time() - started

    seconds(100)
    assert seconds(8000) <= 40 * seconds(1000)


@pytest.mark.parametrize("level", [0.0, 0.5, 1.0, -0.1, math.nan])
def test_levels_that_make_no_test_are_refused(level: float) -> None:
    with pytest.raises(InputError, match="level of a test"):
        bound_mean(pairs(1, 1, 1), level=level)
    with pytest.raises(InputError, match="level of a test"):
        fewest_clusters("better", level=level)


def test_a_tolerance_of_everything_is_refused() -> None:
    with pytest.raises(InputError, match="tolerance"):
        fewest_clusters("not worse", tolerance=1.0)
