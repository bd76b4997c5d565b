"""Evaluate orders of a cascade's steps and their thresholds offline.

Every step has been run on every example once, so that trying an order with its thresholds costs
nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import permutations, product

import numpy as np

from optimizers.models.step_results import StepResults
from optimizers.models.tradeoffs import Floats, pick_under_cap

Tiers = tuple[tuple[int, float | None], ...]

# Quantiles of a step's certainty that are tried as thresholds.
GRID = tuple(place / 10 for place in range(1, 10))
MOST_TIERS = 3


@dataclass(frozen=True, slots=True)
class EvaluatedCascade:
    """An order of steps with thresholds, and its results on examples.

    Args:
        tiers: (step, threshold) in order; the last threshold is None.
        quality: Mean score.
        cost: Mean dollars of a query.
        error: Standard error of its mean difference from the best single step.
    """

    tiers: Tiers
    quality: float
    cost: float
    error: float


def simulate(results: StepResults, tiers: Tiers) -> tuple[Floats, Floats]:
    """Return the score and the dollars of every example under ``tiers``."""
    score, cost = np.zeros(results.size), np.zeros(results.size)
    waiting = np.ones(results.size, dtype=bool)
    for step, threshold in tiers:
        cost[waiting] += results.cost[step, waiting]
        # Where the last step fails, the cascade keeps the answer of the step before.
        answered = waiting & ((results.sure[step] > -np.inf) | (score == 0.0))
        score[answered] = results.score[step, answered]
        if threshold is not None:
            waiting &= results.sure[step] < threshold
    return score, cost


def enumerate_cascades(
    results: StepResults, *, most: int = MOST_TIERS, grid: Sequence[float] = GRID
) -> list[EvaluatedCascade]:
    """Evaluate every order of at most ``most`` steps with all thresholds of the grid."""
    thresholds = [_list_thresholds(results.sure[step], grid) for step in range(results.steps)]
    return [
        evaluate_tiers(results, tiers)
        for length in range(1, min(most, results.steps) + 1)
        for order in permutations(range(results.steps), length)
        for tiers in _list_tiers(order, thresholds)
    ]


def evaluate_tiers(results: StepResults, tiers: Tiers) -> EvaluatedCascade:
    """Return ``tiers`` with their quality and cost."""
    score, cost = simulate(results, tiers)
    return EvaluatedCascade(
        tiers, float(score.mean()), float(cost.mean()), results.error_of(score)
    )


def pick_cascade_under_cap(
    cascades: Sequence[EvaluatedCascade], results: StepResults, cap: float
) -> EvaluatedCascade | None:
    """Return the best cascade under a cap on the mean dollars, unless its lead may be luck."""
    return pick_under_cap(
        cascades,
        cap,
        lambda cascade: simulate(results, cascade.tiers)[0],
        lambda cascade: len(cascade.tiers) == 1,
    )


def _list_thresholds(sure: Floats, grid: Sequence[float]) -> list[float]:
    known = sure[np.isfinite(sure)]
    return [] if not len(known) else sorted({float(value) for value in np.quantile(known, grid)})


def _list_tiers(order: Sequence[int], thresholds: Sequence[Sequence[float]]) -> Iterable[Tiers]:
    *early, last = order
    for combination in product(*(thresholds[step] for step in early)):
        yield (*zip(early, combination, strict=True), (last, None))


def find_guaranteed(
    order: Sequence[Tiers], results: StepResults, target: float, delta: float
) -> tuple[Tiers | None, float]:
    """Return the last tiers of a sequence that are shown to reach a mean score.

    Follows: Learn then Test (Angelopoulos et al., 2021), fixed-sequence testing: the order is
    decided on other data, the safest tiers first, and the first failure ends it, so that the
    chance of any wrong claim is at most ``delta``. Differs: scores against task labels, of any
    number of classes, and graded ones; an exact binomial test where all scores are 0 or 1.

    Args:
        order: Tiers to test, the safest first.
        results: Results on examples that no decision was based on.
        target: Mean score to be shown.
        delta: Highest chance of a wrong claim.

    Returns:
        The tiers (None where the first test already fails), and their p-value.
    """
    shown: Tiers | None = None
    p_shown = 1.0
    for tiers in order:
        score, _ = simulate(results, tiers)
        p_value = p_value_below(score, target)
        if p_value > delta:
            return shown, p_shown if shown is not None else p_value
        shown, p_shown = tiers, p_value
    return shown, p_shown


def p_value_below(score: Floats, target: float) -> float:
    """Return the p-value of the hypothesis that the mean is below ``target``.

    Exact for scores of 0 and 1; for other scores from 0 to 1 the Hoeffding-Bentkus bound.
    """
    n, mean = len(score), float(score.mean())
    right = math.ceil(n * mean - 1e-9)
    exact = set(np.unique(score)) <= {0.0, 1.0}
    tail = _at_least(right if exact else math.floor(n * mean + 1e-9), n, target)
    if exact:
        return tail
    hoeffding = math.exp(-n * _divergence(mean, target)) if mean > target else 1.0
    return min(1.0, hoeffding, math.e * tail)


def fewest_for(target: float, delta: float) -> int:
    """Return the fewest examples that show ``target``, with all of them right."""
    return math.ceil(math.log(delta) / math.log(target)) if target < 1.0 else 10**9


def _at_least(right: int, n: int, chance: float) -> float:
    """Return P(Binomial(n, chance) >= right)."""
    if right <= 0:
        return 1.0
    logs = [
        math.lgamma(n + 1)
        - math.lgamma(k + 1)
        - math.lgamma(n - k + 1)
        + k * math.log(chance)
        + (n - k) * math.log1p(-chance)
        for k in range(right, n + 1)
    ]
    top = max(logs)
    return min(1.0, math.exp(top) * math.fsum(math.exp(one - top) for one in logs))


def _divergence(a: float, b: float) -> float:
    """Return the divergence of Bernoulli(a) from Bernoulli(b), in nats."""
    first = a * math.log(a / b) if a > 0 else 0.0
    return first + ((1 - a) * math.log((1 - a) / (1 - b)) if a < 1 else 0.0)
