"""Orders and thresholds weighed offline, and what may be claimed of them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from optimizers.models.choice import front, not_worse, spread
from optimizers.models.observed import Observed
from optimizers.models.tiers import (
    best_under,
    fewest_for,
    guaranteed,
    p_below,
    planned,
    plans,
    played,
)


def seen(n: int = 400, seed: int = 0) -> Observed:
    """A cheap step that knows when it is wrong, and a dear one that is right more often."""
    rng = np.random.default_rng(seed)
    sure = rng.random((2, n))
    score = np.stack([sure[0] > 0.4, rng.random(n) < 0.9]).astype(float)
    cost = np.stack([np.full(n, 1.0), np.full(n, 20.0)])
    return Observed(score, cost, sure)


def test_an_unsure_answer_goes_on_and_both_are_paid() -> None:
    few = Observed(
        np.array([[1.0, 0.0], [0.0, 1.0]]),
        np.array([[1.0, 1.0], [9.0, 9.0]]),
        np.array([[0.8, 0.2], [0.5, 0.5]]),
    )
    score, cost = played(few, ((0, 0.5), (1, None)))
    assert score.tolist() == [1.0, 1.0]
    assert cost.tolist() == [1.0, 10.0]
    score, cost = played(few, ((1, None),))
    assert score.tolist() == [0.0, 1.0] and cost.tolist() == [9.0, 9.0]


def test_a_failed_last_step_takes_no_answer_away() -> None:
    broken = Observed(
        np.array([[1.0], [0.0]]), np.array([[1.0], [0.0]]), np.array([[0.1], [-np.inf]])
    )
    assert played(broken, ((0, 0.5), (1, None)))[0].tolist() == [1.0]


def test_a_cascade_beats_every_single_step_at_a_fraction_of_the_price() -> None:
    found = plans(seen())
    singles = [plan for plan in found if len(plan.tiers) == 1]
    best = max(plan.quality for plan in singles)
    reference = max(singles, key=lambda plan: plan.quality)
    picked = not_worse(found, reference, 0.02)
    assert picked.quality >= best - 0.02
    assert picked.cost < 0.6 * max(plan.cost for plan in singles)
    assert planned(seen(), picked.tiers) == picked


def test_the_front_holds_what_nothing_beats() -> None:
    found = plans(seen())
    edge = front(found)
    assert edge == sorted(edge, key=lambda one: one.cost)
    for plan in found:
        assert any(one.quality >= plan.quality and one.cost <= plan.cost for one in edge)
    assert spread(edge, 3)[0] == edge[0] and spread(edge, 3)[-1] == edge[-1]


def test_a_cap_on_the_mean_cost() -> None:
    found = plans(seen())
    picked = best_under(found, seen(), 8.0)
    assert picked is not None and picked.cost <= 8.0
    assert picked.quality == max(plan.quality for plan in found if plan.cost <= 8.0)
    assert best_under(found, seen(), 0.5) is None


def test_a_plan_that_looks_better_by_luck_is_not_taken() -> None:
    rng = np.random.default_rng(3)
    n = 60
    noise = Observed(
        (rng.random((2, n)) < 0.7).astype(float),
        np.stack([np.full(n, 1.0), np.full(n, 1.2)]),
        rng.random((2, n)),
    )
    found = plans(noise)
    best = max(found, key=lambda plan: plan.quality)
    assert len(best.tiers) == 2  # of so many orders and thresholds one always looks better
    taken = best_under(found, noise, 9.0)
    assert taken is not None and len(taken.tiers) == 1


@given(st.integers(1, 60), st.integers(0, 60), st.floats(0.05, 0.95))
def test_the_exact_test_is_one(n: int, right: int, target: float) -> None:
    right = min(right, n)
    score = np.array([1.0] * right + [0.0] * (n - right))
    p_value = p_below(score, target)
    assert 0.0 <= p_value <= 1.0
    if right < n:
        assert p_below(np.array([1.0] * (right + 1) + [0.0] * (n - right - 1)), target) <= p_value


def test_known_values_of_the_exact_test() -> None:
    assert p_below(np.ones(10), 0.5) == pytest.approx(0.5**10)
    assert p_below(np.array([1.0, 0.0]), 0.5) == pytest.approx(0.75)
    assert fewest_for(0.9, 0.05) == 29
    assert p_below(np.ones(29), 0.9) <= 0.05 < p_below(np.ones(28), 0.9)


@pytest.mark.parametrize("graded", [False, True])
def test_a_guarantee_is_wrong_as_rarely_as_it_says(graded: bool) -> None:
    truth = seen(100_000, seed=99)
    order = [plan.tiers for plan in sorted(front(plans(seen(300))), key=lambda one: -one.cost)]
    quality = {tiers: planned(truth, tiers).quality for tiers in order}
    wrong = claims = 0
    for seed in range(200):
        part = seen(150, seed=seed + 1)
        if graded:
            part = Observed(0.5 * part.score + 0.25, part.cost, part.sure)
        tiers, _ = guaranteed(order, part, 0.6 if graded else 0.86, 0.1)
        if tiers is not None:
            claims += 1
            real = 0.5 * quality[tiers] + 0.25 if graded else quality[tiers]
            wrong += real < (0.6 if graded else 0.86)
    assert claims > 60
    assert wrong / 200 <= 0.1 + 0.05


def test_nothing_is_claimed_where_nothing_is_shown() -> None:
    tiers, p_value = guaranteed([((1, None),)], seen(20), 0.95, 0.05)
    assert tiers is None and p_value > 0.05
