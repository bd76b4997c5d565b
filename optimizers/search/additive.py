"""Puts together what did well apart: the best point of an additive model.

Follows: main-effects analysis of factorial experiments (Box, Hunter and Hunter, 1978), with ridge
regression, as values of one predictor's instruction mostly add to those of another's.
Differs: only the best point that was not tried yet is wanted, not the effects.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping

from optimizers.search.space import Assignment, Space

RIDGE = 1.0
SWEEPS = 30
# Points looked at, from the best down, before giving up on finding one that is new.
PATIENCE = 2000


def recombined(space: Space, seen: Mapping[Assignment, float], count: int) -> list[Assignment]:
    """Return the ``count`` points with the highest predicted value that were not seen.

    Args:
        space: Where the points are.
        seen: Every point that was tried, with the best estimate of its value.
        count: Points wanted; fewer come back where the best ones are all known.
    """
    effects = _effects(space, seen)
    ranked = [sorted(range(len(one)), key=lambda index: -one[index]) for one in effects]
    start = (0,) * len(ranked)
    queue = [(-_sum(effects, ranked, start), start)]
    known = {start}
    found: list[Assignment] = []
    for _ in range(PATIENCE):
        if not queue or len(found) == count:
            break
        _, ranks = heapq.heappop(queue)
        point = tuple(order[rank] for order, rank in zip(ranked, ranks, strict=True))
        if point not in seen:
            found.append(point)
        for place in range(len(ranks)):
            worse = (*ranks[:place], ranks[place] + 1, *ranks[place + 1 :])
            if worse[place] < len(ranked[place]) and worse not in known:
                known.add(worse)
                heapq.heappush(queue, (-_sum(effects, ranked, worse), worse))
    return found


def importance(space: Space, seen: Mapping[Assignment, float]) -> dict[str, float]:
    """Return for every choice the share of the scores' spread that it explains, by its key.

    Args:
        space: Where the points are.
        seen: Every point that was tried, with the best estimate of its value.

    Returns:
        Shares that add up to 1, or all 0 where nothing made a difference.
    """
    effects = _effects(space, seen)
    spreads = []
    for place, effect in enumerate(effects):
        used = [effect[point[place]] for point in seen]
        mean = sum(used) / len(used)
        spreads.append(sum((one - mean) ** 2 for one in used) / len(used))
    whole = sum(spreads)
    return {
        choice.key: spread / whole if whole > 0 else 0.0
        for choice, spread in zip(space.choices, spreads, strict=True)
    }


def _effects(space: Space, seen: Mapping[Assignment, float]) -> list[list[float]]:
    """Fit one effect a value by backfitting: each in turn explains what the others leave."""
    mean = sum(seen.values()) / len(seen)
    effects = [[0.0] * len(choice.values) for choice in space.choices]
    left = {point: value - mean for point, value in seen.items()}
    for _ in range(SWEEPS):
        for place, effect in enumerate(effects):
            total = [0.0] * len(effect)
            count = [RIDGE] * len(effect)
            for point, rest in left.items():
                index = point[place]
                total[index] += rest + effect[index]
                count[index] += 1
            new = [one / many for one, many in zip(total, count, strict=True)]
            for point in left:
                index = point[place]
                left[point] += effect[index] - new[index]
            effects[place] = new
    return effects


def _sum(effects: list[list[float]], ranked: list[list[int]], ranks: tuple[int, ...]) -> float:
    return sum(
        effect[order[rank]] for effect, order, rank in zip(effects, ranked, ranks, strict=True)
    )
