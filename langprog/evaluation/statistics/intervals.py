"""Intervals for the mean of scores: few rows, bounded values.

For scores between 0 and 1 the intervals err on the wide side where there are few rows: a 95 %
interval of ten or more binary scores holds the truth at least 92 % of the time whatever the truth
is, and 95-96 % on average (computed exactly in ``tests/evaluation``). Scores without bounds get
Student's t, which is too narrow for small samples of very skewed ones: nothing is known about a
tail that was not seen.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from statistics import NormalDist, fmean

CONFIDENCE = 0.95


def mean_interval(
    values: Sequence[float],
    confidence: float = CONFIDENCE,
    *,
    score_range: tuple[float, float] | None = None,
    clusters: Sequence[Hashable] | None = None,
) -> tuple[float, float]:
    """Return an interval for the mean of the population that ``values`` are drawn from.

    Follows: for scores of 0 and 1 Agresti and Coull (1998): the middle of Wilson's score interval,
    a little wider, as that one falls to 83 % coverage near 0 and 1. For other scores between 0
    and 1 Student's t with one pseudo-observation spread over both ends of the range, which in the
    same way keeps the interval from closing when all values happen to be equal. Otherwise plain
    Student's t, which says nothing (an infinite interval) about a single value. Differs: scores
    on another range are moved to 0 to 1 first; of clusters of different sizes, Kish's (1965)
    effective number counts.

    Args:
        values: The scores.
        confidence: How often the interval shall hold the mean.
        score_range: The lowest and the highest score; left out, 0 to 1 if all values lie there,
            else none.
        clusters: The cluster of each value: values of one cluster are a single observation.

    Raises:
        ValueError: There is no value.
    """
    if not values:
        raise ValueError("no values: a mean of nothing has no interval")
    pairs = _weigh(values, clusters)
    if score_range is None:
        return _interval(pairs, confidence)
    low, high = score_range
    inside = [(min(1.0, max(0.0, (v - low) / (high - low))), weight) for v, weight in pairs]
    return tuple(low + end * (high - low) for end in _interval(inside, confidence))  # type: ignore[return-value]  # two ends


def _interval(pairs: Sequence[tuple[float, float]], confidence: float) -> tuple[float, float]:
    if all(value in (0.0, 1.0) for value, _ in pairs):
        successes, trials = sum(v * w for v, w in pairs), sum(w for _, w in pairs)
        return _share(successes, trials, confidence)
    if all(0.0 <= value <= 1.0 for value, _ in pairs):
        low, high = _weighted_t([*pairs, (0.0, 0.5), (1.0, 0.5)], confidence)
        return max(0.0, low), min(1.0, high)
    return _weighted_t(pairs, confidence)


def _weigh(
    values: Sequence[float], clusters: Sequence[Hashable] | None
) -> list[tuple[float, float]]:
    """Return the mean of every cluster, with weights that add up to the effective number."""
    members: dict[Hashable, list[float]] = {}
    names = range(len(values)) if clusters is None else clusters
    for name, value in zip(names, values, strict=True):
        members.setdefault(name, []).append(value)
    squares = sum(len(group) ** 2 for group in members.values())
    scale = len(values) / squares  # the effective number is rows^2 / squares
    return [(fmean(group), len(group) * scale) for group in members.values()]


def _share(successes: float, n: float, confidence: float) -> tuple[float, float]:
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    trials = n + z * z
    middle = (successes + z * z / 2) / trials
    half = z * math.sqrt(middle * (1 - middle) / trials)
    return max(0.0, middle - half), min(1.0, middle + half)


def _weighted_t(pairs: Sequence[tuple[float, float]], confidence: float) -> tuple[float, float]:
    total = sum(weight for _, weight in pairs)
    mean = sum(value * weight for value, weight in pairs) / total
    if total <= 1:
        return -math.inf, math.inf
    spread = sum(weight * (value - mean) ** 2 for value, weight in pairs)
    error = math.sqrt(spread / (total - 1) / total)
    half = student_quantile(0.5 + confidence / 2, total - 1) * error
    return mean - half, mean + half


def student_quantile(probability: float, freedom: float) -> float:
    """Return the quantile of Student's t.

    Follows: Hill (1970), Algorithm 396, an asymptotic expansion; for one and two degrees of
    freedom the closed forms. Good to four digits from three degrees on.
    """
    if freedom <= 1:
        return math.tan(math.pi * (probability - 0.5))
    if freedom <= 2:
        spread = 2 * probability - 1
        return spread * math.sqrt(2 / (1 - spread * spread))
    z = NormalDist().inv_cdf(probability)
    a = 1 / (freedom - 0.5)
    b = 48 / (a * a)
    c = ((20700 * a / b - 98) * a - 16) * a + 96.36
    d = ((94.5 / (b + c) - 3) / b + 1) * math.sqrt(a * math.pi / 2) * freedom
    tail = 2 * min(probability, 1 - probability)
    y = (d * tail) ** (2 / freedom)
    if y > 0.05 + a:
        square = z * z
        if freedom < 5:
            c += 0.3 * (freedom - 4.5) * (abs(z) + 0.6)
        c += (((0.05 * d * abs(z) - 5) * abs(z) - 7) * abs(z) - 2) * abs(z) + b
        y = ((((0.4 * square + 6.3) * square + 36) * square + 94.5) / c - square - 3) / b + 1
        y = a * (y * abs(z)) ** 2
        y = math.expm1(y)
    else:
        y = (
            (
                1 / (((freedom + 6) / (freedom * y) - 0.089 * d - 0.822) * (freedom + 2) * 3)
                + 0.5 / (freedom + 4)
            )
            * y
            - 1
        ) * (freedom + 1) / (freedom + 2) + 1 / y
    return math.copysign(math.sqrt(freedom * y), probability - 0.5)


def quantile(values: Sequence[float], share: float) -> float:
    """Return the quantile of ``values``, interpolated between neighbours.

    Raises:
        ValueError: There is no value.
    """
    if not values:
        raise ValueError("no values: there is no quantile")
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])


def mean(values: Sequence[float]) -> float:
    """Return the mean.

    Raises:
        ValueError: There is no value.
    """
    if not values:
        raise ValueError("no values: there is no mean")
    return fmean(values)
