"""Exact tests for paired scores: how often would luck alone do as well?

Follows: Fisher's randomisation test for pairs (The Design of Experiments, 1935, section 21): if
two programs were equally good, each difference could as well have had the other sign. For scores
of 0 and 1 this is the exact test of McNemar (1947). Monte Carlo draws count as Davison and Hinkley
(Bootstrap Methods and their Application, 1997, section 4.2) say: the data themselves are one more.
Differs: the distribution of the sum is not enumerated flip by flip, but added up on a grid where
the differences lie on one, or halved and joined (Horowitz and Sahni, 1974) where there are few.
"""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Sequence
from fractions import Fraction
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

from langprog.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Denominators of scores that are fractions; floating-point noise is far smaller.
LARGEST_DENOMINATOR = 10_000
NOISE = 1e-9
# A difference this much smaller than the largest one is a rounding error.
ROUNDING = 1e-12
# Additions that an exact sum on a grid may take: about half a second.
MOST_WORK = 300_000_000
# Differences whose flips are joined from two halves: 2 ** 18 sums each.
MOST_HALVED = 36
DRAWS = 20_000
# With more differences than this, the sum is normal for all practical purposes.
MOST_DRAWN = 20_000
CHUNK = 4_000_000


def sign_flip_p(
    differences: Sequence[float], *, two_sided: bool = False, draws: int = DRAWS, seed: int = 0
) -> float:
    """Return how likely a mean difference this large is if all signs are coin flips.

    Exact where the differences are multiples of a common unit (scores of 0 and 1, shares of a few
    checks) or fewer than 37; otherwise a seeded Monte Carlo estimate that keeps the test valid,
    and beyond 20,000 differences the normal approximation.

    Args:
        differences: Second minus first, one for each pair; zeros, up to rounding, do not matter.
        two_sided: Whether an equally large loss counts, too.
        draws: Number of Monte Carlo draws.
        seed: Their seed.

    Returns:
        The p-value; 1.0 where all differences are zero.

    Raises:
        InputError: A difference is not a finite number.
    """
    if not all(math.isfinite(value) for value in differences):
        raise InputError("differences must be finite numbers to be tested")
    least = ROUNDING * max(map(abs, differences), default=0.0)
    changed = [float(value) for value in differences if abs(value) > least]
    if not changed:
        return 1.0
    observed = math.fsum(changed)
    if two_sided:  # the distribution is symmetric
        sign = math.copysign(1.0, observed)
        return min(1.0, 2 * _upper_tail([sign * value for value in changed], draws, seed))
    return _upper_tail(changed, draws, seed)


def mcnemar_p(wins: int, losses: int, *, two_sided: bool = False) -> float:
    """Return the p-value of the exact test of McNemar; ties do not matter.

    Args:
        wins: Pairs where the second program alone is right.
        losses: Pairs where the first program alone is right.
        two_sided: Whether as many losses count, too.

    Returns:
        The p-value; 1.0 where there are neither wins nor losses.

    Raises:
        InputError: A count is negative.
    """
    if wins < 0 or losses < 0:
        raise InputError(f"counts must be 0 or more, not {wins} and {losses}")
    if two_sided:
        return min(1.0, 2 * _coin_tail(max(wins, losses), wins + losses))
    return _coin_tail(wins, wins + losses)


def _upper_tail(differences: Sequence[float], draws: int, seed: int) -> float:
    steps = _on_grid(differences)
    if steps is not None:
        counts = Counter(abs(step) for step in steps)
        if len(counts) == 1:
            return _coin_tail(sum(step > 0 for step in steps), len(steps))
        if len(steps) * sum(size * count for size, count in counts.items()) <= MOST_WORK:
            return _grid_tail(counts, sum(steps))
    if len(differences) <= MOST_HALVED:
        return _halved_tail(differences)
    if len(differences) <= MOST_DRAWN:
        return _drawn_tail(differences, draws, seed)
    spread = math.sqrt(math.fsum(value * value for value in differences))
    return 1.0 - NormalDist().cdf(math.fsum(differences) / spread)


def _on_grid(differences: Sequence[float]) -> list[int] | None:
    """Return the differences as multiples of their largest common unit, or ``None``."""
    parts = []
    for value in differences:
        part = Fraction(value).limit_denominator(LARGEST_DENOMINATOR)
        if part == 0 or abs(float(part) - value) > NOISE * max(1.0, abs(value)):
            return None
        parts.append(part)
    scale = math.lcm(*(part.denominator for part in parts))
    steps = [part.numerator * (scale // part.denominator) for part in parts]
    unit = math.gcd(*steps)
    return [step // unit for step in steps]


def _coin_tail(least: int, n: int) -> float:
    """Return the chance of at least ``least`` heads in ``n`` throws."""
    if n <= 1000:
        ways = sum(math.comb(n, heads) for heads in range(least, n + 1))
        return ways / (1 << n)
    return min(1.0, math.fsum(_heads(n)[least:]))


def _heads(n: int) -> list[float]:
    """Return the chance of every number of heads in ``n`` throws."""
    whole = math.lgamma(n + 1) - n * math.log(2)
    return [
        math.exp(whole - math.lgamma(heads + 1) - math.lgamma(n - heads + 1))
        for heads in range(n + 1)
    ]


def _grid_tail(counts: Counter[int], observed: int) -> float:
    import numpy  # noqa: PLC0415 - programs that are only run need no arrays

    # chance[k]: probability that the differences that are positive add up to k.
    chance: NDArray[Any] = numpy.ones(1)
    for size, count in sorted(counts.items()):
        longer = numpy.zeros(len(chance) + size * count)
        for heads, probability in enumerate(_heads(count)):
            longer[heads * size : heads * size + len(chance)] += probability * chance
        chance = longer
    # The sum of all differences is 2k - total, with total = len(chance) - 1.
    least = (observed + len(chance) - 1) // 2
    return float(min(1.0, chance[least:].sum()))


def _halved_tail(differences: Sequence[float]) -> float:
    import numpy  # noqa: PLC0415 - programs that are only run need no arrays

    def sum_flips(part: Sequence[float]) -> NDArray[Any]:
        totals: NDArray[Any] = numpy.zeros(1)
        for value in part:
            totals = numpy.concatenate([totals + value, totals - value])
        return totals

    middle = len(differences) // 2
    left, right = sum_flips(differences[:middle]), numpy.sort(sum_flips(differences[middle:]))
    slack = NOISE * math.fsum(abs(value) for value in differences)
    least = math.fsum(differences) - slack
    reached = len(right) - numpy.searchsorted(right, least - left, side="left")
    return float(reached.sum() / (len(left) * len(right)))


def _drawn_tail(differences: Sequence[float], draws: int, seed: int) -> float:
    import numpy  # noqa: PLC0415 - programs that are only run need no arrays

    # Bits of the standard library: the same draws on every machine and with every numpy.
    source = random.Random(seed)
    sizes = numpy.abs(numpy.asarray(differences))
    total = float(sizes.sum())
    # The sum is 2 * (sum of the positive ones) - total.
    least = (math.fsum(differences) + total) / 2 - NOISE * total
    each = max(1, CHUNK // len(sizes))
    reached = 0
    for start in range(0, draws, each):
        rows = min(each, draws - start)
        bits = numpy.frombuffer(source.randbytes((rows * len(sizes) + 7) // 8), dtype=numpy.uint8)
        signs = numpy.unpackbits(bits, count=rows * len(sizes)).reshape(rows, len(sizes))
        reached += int((signs @ sizes >= least).sum())
    return (reached + 1) / (draws + 1)
