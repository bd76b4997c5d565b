"""Which steps a cascade asks, in which order, from which certainty on: weighed offline.

Every step was run on every example once, so that an order with its thresholds costs nothing to
try.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import permutations, product

import numpy as np

from optimizers.models.choice import Floats, under_cap
from optimizers.models.observed import Observed

Tiers = tuple[tuple[int, float | None], ...]

# Thresholds that are tried: these quantiles of a step's certainty.
GRID = tuple(place / 10 for place in range(1, 10))
MOST_TIERS = 3


@dataclass(frozen=True, slots=True)
class Plan:
    """An order with its thresholds, and what it comes to.

    Args:
        tiers: (step, threshold) in order; the last threshold is None.
        quality: Mean score.
        cost: Mean dollars.
        error: Standard error of its difference from the best single step.
    """

    tiers: Tiers
    quality: float
    cost: float
    error: float


def played(seen: Observed, tiers: Tiers) -> tuple[Floats, Floats]:
    """Return the score and the dollars of every example under ``tiers``."""
    score, cost = np.zeros(seen.size), np.zeros(seen.size)
    waiting = np.ones(seen.size, dtype=bool)
    for step, threshold in tiers:
        cost[waiting] += seen.cost[step, waiting]
        # A failed last step leaves the last answer there was, so it never takes one away.
        answered = waiting & ((seen.sure[step] > -np.inf) | (score == 0.0))
        score[answered] = seen.score[step, answered]
        if threshold is not None:
            waiting &= seen.sure[step] < threshold
    return score, cost


def plans(seen: Observed, *, most: int = MOST_TIERS, grid: Sequence[float] = GRID) -> list[Plan]:
    """Return every order of at most ``most`` steps with every threshold of the grid."""
    thresholds = [_thresholds(seen.sure[step], grid) for step in range(seen.steps)]
    return [
        planned(seen, tiers)
        for length in range(1, min(most, seen.steps) + 1)
        for order in permutations(range(seen.steps), length)
        for tiers in _tiers(order, thresholds)
    ]


def planned(seen: Observed, tiers: Tiers) -> Plan:
    """Return what ``tiers`` come to on what was seen."""
    score, cost = played(seen, tiers)
    return Plan(tiers, float(score.mean()), float(cost.mean()), seen.error_of(score))


def best_under(found: Sequence[Plan], seen: Observed, cap: float) -> Plan | None:
    """Return the best plan under a cap on the mean dollars, unless that is luck."""
    return under_cap(
        found, cap, lambda plan: played(seen, plan.tiers)[0], lambda plan: len(plan.tiers) == 1
    )


def _thresholds(sure: Floats, grid: Sequence[float]) -> list[float]:
    known = sure[np.isfinite(sure)]
    return [] if not len(known) else sorted({float(one) for one in np.quantile(known, grid)})


def _tiers(order: Sequence[int], thresholds: Sequence[Sequence[float]]) -> Iterable[Tiers]:
    *early, last = order
    for chosen in product(*(thresholds[step] for step in early)):
        yield (*zip(early, chosen, strict=True), (last, None))


def guaranteed(
    order: Sequence[Tiers], seen: Observed, target: float, delta: float
) -> tuple[Tiers | None, float]:
    """Return the last plan of a sequence that is shown to reach a mean score.

    Follows: Learn then Test (Angelopoulos et al., 2021), fixed-sequence testing: the order is
    decided on other data, from the safest plan on, and the first that cannot be shown ends it, so
    that the chance of any wrong claim is at most ``delta``. Differs: scores against task labels,
    of any number of classes, and graded ones; an exact binomial test where all scores are 0 or 1.

    Args:
        order: Plans, the safest first.
        seen: Examples that nothing was decided on.
        target: Mean score to be shown.
        delta: Chance of a wrong claim.

    Returns:
        The plan (None where not even the first is shown), and its p-value.
    """
    shown: Tiers | None = None
    p_shown = 1.0
    for tiers in order:
        score, _ = played(seen, tiers)
        p_value = p_below(score, target)
        if p_value > delta:
            return shown, p_shown if shown is not None else p_value
        shown, p_shown = tiers, p_value
    return shown, p_shown


def p_below(score: Floats, target: float) -> float:
    """Return the p-value of "the mean is below ``target``" for scores from 0 to 1.

    Exact for scores of 0 and 1; else Hoeffding-Bentkus, the smaller of two bounds.
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
    """Return how many examples show ``target`` where every one is right."""
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
