"""Combine what did well apart: the best untried point of an additive model.

Follows: main-effects analysis of factorial experiments (Box, Hunter and Hunter, 1978), with ridge
regression, as the effect of one predictor's instruction mostly adds to that of another's.
Differs: only the best point that was not tried yet is wanted, not the effects themselves.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping

from optimizers.search.space import Assignment, SearchSpace

RIDGE = 1.0
SWEEPS = 30
# Points examined, from the best down, before giving up on finding a new one.
PATIENCE = 2000


def recombine(
    space: SearchSpace, seen: Mapping[Assignment, float], count: int
) -> list[Assignment]:
    """Return the ``count`` untried points with the highest predicted value.

    Args:
        space: Where the points are.
        seen: Every point that was tried, with the best estimate of its value.
        count: Points wanted; fewer are returned where the best ones have all been tried.
    """
    effects = _fit_effects(space, seen)
    ranked = [sorted(range(len(effect)), key=lambda index: -effect[index]) for effect in effects]
    start = (0,) * len(ranked)
    queue = [(-_predict(effects, ranked, start), start)]
    queued = {start}
    points: list[Assignment] = []
    for _ in range(PATIENCE):
        if not queue or len(points) == count:
            break
        _, ranks = heapq.heappop(queue)
        point = tuple(order[rank] for order, rank in zip(ranked, ranks, strict=True))
        if point not in seen:
            points.append(point)
        for place in range(len(ranks)):
            worse = (*ranks[:place], ranks[place] + 1, *ranks[place + 1 :])
            if worse[place] < len(ranked[place]) and worse not in queued:
                queued.add(worse)
                heapq.heappush(queue, (-_predict(effects, ranked, worse), worse))
    return points


def explain_variance(space: SearchSpace, seen: Mapping[Assignment, float]) -> dict[str, float]:
    """Return, by the key of each choice, the share of the scores' variance that it explains.

    Args:
        space: Where the points are.
        seen: Every point that was tried, with the best estimate of its value.

    Returns:
        Shares that add up to 1, or all 0 where nothing made a difference.
    """
    effects = _fit_effects(space, seen)
    variances = []
    for place, effect in enumerate(effects):
        used = [effect[point[place]] for point in seen]
        mean = sum(used) / len(used)
        variances.append(sum((value - mean) ** 2 for value in used) / len(used))
    total = sum(variances)
    return {
        choice.key: variance / total if total > 0 else 0.0
        for choice, variance in zip(space.choices, variances, strict=True)
    }


def _fit_effects(space: SearchSpace, seen: Mapping[Assignment, float]) -> list[list[float]]:
    """Fit an effect for each value by backfitting: each choice explains what the others leave."""
    mean = sum(seen.values()) / len(seen)
    effects = [[0.0] * len(choice.values) for choice in space.choices]
    residuals = {point: value - mean for point, value in seen.items()}
    for _ in range(SWEEPS):
        for place, effect in enumerate(effects):
            totals = [0.0] * len(effect)
            counts = [RIDGE] * len(effect)
            for point, residual in residuals.items():
                index = point[place]
                totals[index] += residual + effect[index]
                counts[index] += 1
            new = [total / count for total, count in zip(totals, counts, strict=True)]
            for point in residuals:
                index = point[place]
                residuals[point] += effect[index] - new[index]
            effects[place] = new
    return effects


def _predict(effects: list[list[float]], ranked: list[list[int]], ranks: tuple[int, ...]) -> float:
    return sum(
        effect[order[rank]] for effect, order, rank in zip(effects, ranked, ranks, strict=True)
    )
