"""Intervals and tests for scores: few rows, bounded values, paired programs.

Everything here is exact or errs on the wide side for small samples; nothing needs scipy.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from statistics import NormalDist, fmean

CONFIDENCE = 0.95
# Sums are added up exactly on a grid of at most this many cells; beyond it they are sampled.
LARGEST_GRID = 2_000_000
DRAWS = 20_000


def mean_interval(values: Sequence[float], confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Return an interval for the mean of the population that ``values`` are drawn from.

    Follows: for scores of 0 and 1 the score interval (Wilson, 1927). For other scores between 0
    and 1 Student's t with one pseudo-observation spread over both ends of the range, which keeps
    the interval from closing when all values happen to be equal (as Agresti and Coull, 1998, do
    for proportions). Otherwise plain Student's t.

    Raises:
        ValueError: There is no value.
    """
    if not values:
        raise ValueError("no values: a mean of nothing has no interval")
    if all(value in (0.0, 1.0) for value in values):
        return _wilson(sum(values), len(values), confidence)
    if all(0.0 <= value <= 1.0 for value in values):
        weights = [(value, 1.0) for value in values] + [(0.0, 0.5), (1.0, 0.5)]
        low, high = _weighted_t(weights, confidence)
        return max(0.0, low), min(1.0, high)
    return _weighted_t([(value, 1.0) for value in values], confidence)


def _wilson(successes: float, n: int, confidence: float) -> tuple[float, float]:
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    share = successes / n
    scale = 1 + z * z / n
    middle = (share + z * z / (2 * n)) / scale
    half = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / scale
    return max(0.0, middle - half), min(1.0, middle + half)


def paired_interval(
    differences: Sequence[float], confidence: float = CONFIDENCE
) -> tuple[float, float]:
    """Return an interval for the mean of paired differences.

    Follows: Agresti and Min (2005), who add half a pair to each of the four cells of a paired
    binary table. Differs: differences may have any size; the added half pairs that disagree have
    the size of the largest difference seen, and the normal quantile is Student's.

    Raises:
        ValueError: There is no difference.
    """
    if not differences:
        raise ValueError("no pairs: a mean of nothing has no interval")
    size = max(abs(value) for value in differences) or 1.0
    pseudo = [(size, 0.5), (-size, 0.5), (0.0, 1.0)]
    return _weighted_t([*((value, 1.0) for value in differences), *pseudo], confidence)


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


def sign_flip_p(differences: Sequence[float], *, two_sided: bool = False) -> float:
    """Return how likely a mean difference this large is if signs are coin flips.

    Follows: Fisher's randomisation test for pairs. Exact, by adding up the distribution of the
    sum on a grid, where the differences lie on a grid of reasonable size (for scores of 0 and 1
    that is the exact test of McNemar); otherwise by seeded draws with one added to numerator and
    denominator, which keeps the test valid.

    Args:
        differences: After minus before, one for each pair; zeros do not matter.
        two_sided: Whether a loss this large counts, too.

    Returns:
        The p-value; 1.0 where all differences are zero.
    """
    sizes = [abs(value) for value in differences if value]
    observed = sum(differences)
    if not sizes:
        return 1.0
    if two_sided:
        return min(1.0, 2 * min(_upper_tail(sizes, observed), _upper_tail(sizes, -observed)))
    return _upper_tail(sizes, observed)


def _upper_tail(sizes: Sequence[float], observed: float) -> float:
    steps = [round(size * 1_000_000) for size in sizes]
    unit = math.gcd(*steps) or 1
    steps = [step // unit for step in steps]
    total = sum(steps)
    exact = all(
        math.isclose(s * unit / 1_000_000, size, rel_tol=1e-6)
        for s, size in zip(steps, sizes, strict=True)
    )
    if exact and total <= LARGEST_GRID:
        return _exact_tail(steps, total, round(observed * 1_000_000 / unit))
    return _drawn_tail(sizes, observed)


def _exact_tail(steps: Sequence[int], total: int, observed: int) -> float:
    import numpy  # noqa: PLC0415 - programs that are only run need no arrays

    # chance[k]: probability that the positive differences add up to k; the sum is 2k - total.
    chance = numpy.zeros(total + 1)
    chance[0] = 1.0
    reached = 0
    for step in steps:
        shifted = chance[: reached + 1].copy()
        chance[: reached + 1] *= 0.5
        chance[step : step + reached + 1] += 0.5 * shifted
        reached += step
    least = -((-(observed + total)) // 2)
    return float(min(1.0, chance[max(0, least) :].sum()))


def _drawn_tail(sizes: Sequence[float], observed: float) -> float:
    draws = random.Random(0)
    reached = sum(
        sum(size if draws.random() < 0.5 else -size for size in sizes) >= observed - 1e-12
        for _ in range(DRAWS)
    )
    return (reached + 1) / (DRAWS + 1)


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
