"""Strata of a batch: rows with like proxies, how many of each to ask about, and their mean."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import fmean

from langprog.estimation.estimate import Interval
from langprog.evaluation import Range, student_quantile

QUANTILE = 0.975
# Added to the sum of squares in a stratum, in squared widths of the range, and to its freedom:
# where what is rare in a stratum was not seen, its spread would be near zero, and the interval of
# many answers too short.
SQUARES, FREEDOM = 0.5, 1.0
# For the allocation, a stratum's spread counts as if this many answers had the pooled spread.
POOLED = 10
# Share of the second round that all strata get alike. Strata whose first answers are low by chance
# would else stay at them, as the spread of scores of 0 and 1 goes along with their mean.
EVEN = 0.3


@dataclass
class Stratum:
    """Rows with similar proxies.

    Args:
        rows: The rows, in the order in which they are asked about.
        taken: How many of them have been chosen.
        values: The answers.
        missing: How many were asked in vain.
    """

    rows: list[int]
    taken: int = 0
    values: list[float] = field(default_factory=list)
    missing: int = 0

    def take(self, count: int) -> list[int]:
        """Choose further rows."""
        rows = self.rows[self.taken : self.taken + count]
        self.taken += len(rows)
        return rows

    @property
    def squares(self) -> float:
        """Sum of squared deviations from the mean of the answers."""
        if not self.values:
            return 0.0
        middle = fmean(self.values)
        return sum((value - middle) ** 2 for value in self.values)


def stratify(
    proxies: Sequence[float | None], count: int, rng: random.Random
) -> tuple[Stratum, ...]:
    """Divide rows into strata of equal size by their proxy, ties by lot.

    Args:
        proxies: The proxy of each row; one without gets the median.
        count: How many strata.
        rng: Orders the rows of each stratum, and ties.
    """
    known = sorted(value for value in proxies if value is not None)
    usual = known[len(known) // 2] if known else 0.0
    order = list(range(len(proxies)))
    rng.shuffle(order)
    # The sort is stable, so ties stay in random order.
    order.sort(key=lambda row: usual if (value := proxies[row]) is None else value)
    strata = []
    for number in range(count):
        rows = order[number * len(order) // count : (number + 1) * len(order) // count]
        rng.shuffle(rows)
        strata.append(Stratum(rows))
    return tuple(strata)


def allocate(strata: Sequence[Stratum], count: int, bounds: Range) -> list[int]:
    """Return how many further rows of each stratum to ask about, out of ``count`` together.

    Follows: Neyman (1934): in proportion to the size of a stratum and the spread in it. Differs:
    the spread is shrunk towards that of all strata, a part of the rows is divided evenly, and no
    stratum gets more than it has.
    """
    width = (bounds[1] - bounds[0]) ** 2
    freedom = sum(max(len(each.values) - 1, 0) for each in strata) + 0.5
    pooled = (sum(each.squares for each in strata) + width / 4) / freedom
    spreads = [
        (each.squares + SQUARES * width + POOLED * pooled)
        / (max(len(each.values) - 1, 0) + FREEDOM + POOLED)
        for each in strata
    ]
    want = [
        len(each.rows) * math.sqrt(spread) for each, spread in zip(strata, spreads, strict=True)
    ]
    more = [0] * len(strata)
    left = min(count, sum(len(each.rows) - each.taken for each in strata))
    even = round(EVEN * left)
    for number in range(left):
        takers = [k for k, each in enumerate(strata) if each.taken + more[k] < len(each.rows)]
        if number < even:
            chosen = min(takers, key=more.__getitem__)
        else:  # the stratum that is furthest from its share
            chosen = max(takers, key=lambda k: want[k] / (strata[k].taken + more[k] + 1))
        more[chosen] += 1
    return more


def estimate_strata(strata: Sequence[Stratum], bounds: Range) -> tuple[float, Interval]:
    """Return the mean of all rows, and its 95 % interval.

    A row that was asked in vain counts as the lowest value at the lower end, and as the highest at
    the upper end.

    Follows: Agresti and Coull (1998), with the effective number of observations that the variance
    amounts to, as Franco et al. (2019) recommend for shares in surveys. Differs: values between
    the ends of the range are taken as well.
    """
    pooled = fmean([value for each in strata for value in each.values])
    total = sum(len(each.rows) for each in strata)
    width = bounds[1] - bounds[0]
    mean, low, high, variance, freedom = 0.0, 0.0, 0.0, 0.0, 0.0
    for each in strata:
        share, n = len(each.rows) / total, len(each.values)
        middle = fmean(each.values) if each.values else pooled
        # A stratum that nobody was asked about may have any mean.
        lost = each.missing if n or each.missing else 1
        mean += share * middle
        low += share * (n * middle + lost * bounds[0]) / (n + lost)
        high += share * (n * middle + lost * bounds[1]) / (n + lost)
        spread = (each.squares + SQUARES * width**2) / (max(n - 1, 0) + FREEDOM)
        part = share**2 * spread / n * (1 - n / len(each.rows)) if n else 0.0
        variance += part
        freedom += part**2 / max(n - 1, 1)
    if not variance:  # every row was asked
        return mean, (low, high)
    quantile = student_quantile(QUANTILE, variance**2 / freedom)
    n = sum(len(each.values) for each in strata)
    ends = [
        _interval((value - bounds[0]) / width, variance / width**2, quantile, n)
        for value in (low, high)
    ]
    return mean, (bounds[0] + ends[0][0] * width, bounds[0] + ends[1][1] * width)


def _interval(mean: float, variance: float, quantile: float, n: int) -> Interval:
    """Return the interval of a mean between 0 and 1 of which the variance is known."""
    effective = max(mean * (1 - mean), 1 / (4 * n)) / variance
    trials = effective + quantile**2
    middle = (effective * mean + quantile**2 / 2) / trials
    half = quantile * math.sqrt(middle * (1 - middle) / trials)
    return max(0.0, middle - half), min(1.0, middle + half)
