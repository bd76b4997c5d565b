"""Orders and thresholds weighed offline, and what may be claimed of them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optimizers.models.step_results import StepResults
from optimizers.models.tiers import (
    enumerate_cascades,
    evaluate_tiers,
    fewest_for,
    find_guaranteed,
    p_value_below,
    pick_cascade_under_cap,
    simulate,
)
from optimizers.models.tradeoffs import list_front, pick_cheapest_close, thin_out


def seen(n: int = 400, seed: int = 0) -> StepResults:
    """A cheap step that knows when it is wrong, and a dear one that is right more often."""
    rng = np.random.default_rng(seed)
    sure = rng.random((2, n))
    score = np.stack([sure[0] > 0.4, rng.random(n) < 0.9]).astype(float)
    cost = np.stack([np.full(n, 1.0), np.full(n, 20.0)])
    return StepResults(score, cost, sure)


def test_an_unsure_answer_goes_on_and_both_are_paid() -> None:
    few = StepResults(
        np.array([[1.0, 0.0], [0.0, 1.0]]),
        np.array([[1.0, 1.0], [9.0, 9.0]]),
        np.array([[0.8, 0.2], [0.5, 0.5]]),
    )
    score, cost = simulate(few, ((0, 0.5), (1, None)))
    assert score.tolist() == [1.0, 1.0]
    assert cost.tolist() == [1.0, 10.0]
    score, cost = simulate(few, ((1, None),))
    assert score.tolist() == [0.0, 1.0] and cost.tolist() == [9.0, 9.0]


def test_a_failed_last_step_takes_no_answer_away() -> None:
    broken = StepResults(
        np.array([[1.0], [0.0]]), np.array([[1.0], [0.0]]), np.array([[0.1], [-np.inf]])
    )
    assert simulate(broken, ((0, 0.5), (1, None)))[0].tolist() == [1.0]


def test_a_cascade_beats_every_single_step_at_a_fraction_of_the_price() -> None:
    cascades = enumerate_cascades(seen())
    singles = [plan for plan in cascades if len(plan.tiers) == 1]
    best = max(plan.quality for plan in singles)
    reference = max(singles, key=lambda plan: plan.quality)
    picked = pick_cheapest_close(cascades, reference, 0.02)
    assert picked.quality >= best - 0.02
    assert picked.cost < 0.6 * max(plan.cost for plan in singles)
    assert evaluate_tiers(seen(), picked.tiers) == picked


def test_the_front_holds_what_nothing_beats() -> None:
    cascades = enumerate_cascades(seen())
    front = list_front(cascades)
    assert front == sorted(front, key=lambda each: each.cost)
    for plan in cascades:
        assert any(other.quality >= plan.quality and other.cost <= plan.cost for other in front)
    assert thin_out(front, 3)[0] == front[0] and thin_out(front, 3)[-1] == front[-1]


def test_a_cap_on_the_mean_cost() -> None:
    cascades = enumerate_cascades(seen())
    picked = pick_cascade_under_cap(cascades, seen(), 8.0)
    assert picked is not None and picked.cost <= 8.0
    assert picked.quality == max(plan.quality for plan in cascades if plan.cost <= 8.0)
    assert pick_cascade_under_cap(cascades, seen(), 0.5) is None


def test_a_plan_that_looks_better_by_luck_is_not_taken() -> None:
    rng = np.random.default_rng(3)
    n = 60
    noise = StepResults(
        (rng.random((2, n)) < 0.7).astype(float),
        np.stack([np.full(n, 1.0), np.full(n, 1.2)]),
        rng.random((2, n)),
    )
    cascades = enumerate_cascades(noise)
    best = max(cascades, key=lambda plan: plan.quality)
    assert len(best.tiers) == 2  # of so many orders and thresholds one always looks better
    taken = pick_cascade_under_cap(cascades, noise, 9.0)
    assert taken is not None and len(taken.tiers) == 1


@settings(deadline=None)  # the first call imports scipy
@given(st.integers(1, 60), st.integers(0, 60), st.floats(0.05, 0.95))
def test_the_exact_test_is_one(n: int, right: int, target: float) -> None:
    right = min(right, n)
    score = np.array([1.0] * right + [0.0] * (n - right))
    p_value = p_value_below(score, target)
    assert 0.0 <= p_value <= 1.0
    if right < n:
        assert (
            p_value_below(np.array([1.0] * (right + 1) + [0.0] * (n - right - 1)), target)
            <= p_value
        )


@pytest.mark.parametrize(("right", "n", "target"), [(0, 9, 0.4), (5, 9, 0.4), (38, 40, 0.9)])
def test_the_exact_test_sums_the_binomial_tail(right: int, n: int, target: float) -> None:
    tail = sum(math.comb(n, k) * target**k * (1 - target) ** (n - k) for k in range(right, n + 1))
    score = np.array([1.0] * right + [0.0] * (n - right))
    assert p_value_below(score, target) == pytest.approx(tail)


def test_a_graded_score_is_bounded_and_perfect_scores_are_shown() -> None:
    graded = np.full(40, 0.95)
    assert 0.0 < p_value_below(graded, 0.7) < 0.01
    assert p_value_below(graded, 0.96) == 1.0
    assert p_value_below(np.array([0.5, 1.0]), 0.9) == 1.0


def test_known_values_of_the_exact_test() -> None:
    assert p_value_below(np.ones(10), 0.5) == pytest.approx(0.5**10)
    assert p_value_below(np.array([1.0, 0.0]), 0.5) == pytest.approx(0.75)
    assert fewest_for(0.9, 0.05) == 29
    assert p_value_below(np.ones(29), 0.9) <= 0.05 < p_value_below(np.ones(28), 0.9)


@pytest.mark.parametrize("graded", [False, True])
def test_a_guarantee_is_wrong_as_rarely_as_it_says(graded: bool) -> None:
    truth = seen(100_000, seed=99)
    order = [
        plan.tiers
        for plan in sorted(list_front(enumerate_cascades(seen(300))), key=lambda each: -each.cost)
    ]
    quality = {tiers: evaluate_tiers(truth, tiers).quality for tiers in order}
    wrong = claims = 0
    for seed in range(200):
        part = seen(150, seed=seed + 1)
        if graded:
            part = StepResults(0.5 * part.score + 0.25, part.cost, part.sure)
        tiers, _ = find_guaranteed(order, part, 0.6 if graded else 0.86, 0.1)
        if tiers is not None:
            claims += 1
            real = 0.5 * quality[tiers] + 0.25 if graded else quality[tiers]
            wrong += real < (0.6 if graded else 0.86)
    assert claims > 60
    assert wrong / 200 <= 0.1 + 0.05


def test_nothing_is_claimed_where_nothing_is_shown() -> None:
    tiers, p_value = find_guaranteed([((1, None),)], seen(20), 0.95, 0.05)
    assert tiers is None and p_value > 0.05
