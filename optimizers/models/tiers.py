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
    from scipy import special  # noqa: PLC0415 - a cascade without a guarantee does not need it

    n, mean = len(score), float(score.mean())
    exact = set(np.unique(score)) <= {0.0, 1.0}
    right = math.ceil(n * mean - 1e-9) if exact else math.floor(n * mean + 1e-9)
    # P(Binomial(n, target) >= right)
    tail = 1.0 if right <= 0 else float(special.bdtrc(right - 1, n, target))
    if exact:
        return tail
    divergence = special.rel_entr(mean, target) + special.rel_entr(1 - mean, 1 - target)
    hoeffding = math.exp(-n * float(divergence)) if mean > target else 1.0
    return min(1.0, hoeffding, math.e * tail)


def fewest_for(target: float, delta: float) -> int:
    """Return the fewest examples that show ``target``, with all of them right."""
    return math.ceil(math.log(delta) / math.log(target)) if target < 1.0 else 10**9
