"""Exact bounds for pairs that are won, lost or tied.

Follows: the exact form of the McNemar test (McNemar, 1947) for a difference of zero; Buehler
(1957) for a bound that is exact under a fixed ordering of the outcomes; the score statistic of
Tango (1998, Equivalence test and confidence interval for the difference in proportions for the
paired-sample design) for that ordering.

Differs: the score is corrected for continuity and skewness, as without this a few losses among
many ties count for too much. Outcomes that the McNemar test rejects come first in the ordering, so
that the bound is above zero exactly where the McNemar test rejects. Probabilities are trinomial
and maximised over the share of pairs that are not tied (numerically, on a grid that is refined
around its largest values), so the level holds for every number of pairs. Where the McNemar test
does not reject, only shares that the data allow are looked at, as Berger and Boos (1994) do, and
what is set aside for this is added to the p-value.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

GRID, REFINED, PEAKS = 40, 9, 2
# Share of the level that is set aside for shares of untied pairs that the data all but exclude.
SET_ASIDE = 1e-3
# Standard deviations around the mean that carry all but 1e-12 of a binomial's mass.
REACH = 7.0
FEW = 300
BOUND_TOLERANCE = 1e-7


@dataclass(frozen=True, slots=True)
class Outcome:
    """How many of ``n`` pairs were won and lost; the others are ties."""

    wins: int
    losses: int
    n: int


def coin_tail(wins: int, losses: int) -> float:
    """Return the chance of at least ``wins`` heads in ``wins + losses`` throws of a fair coin."""
    if wins == 0:
        return 1.0
    special = importlib.import_module("scipy.special")
    return float(special.betainc(wins, losses + 1, 0.5))


def exact_p(outcome: Outcome, margin: float, level: float) -> float:
    """Return the p-value of: the share won exceeds the share lost by ``margin`` at most.

    At a margin of zero this is the McNemar test. It is valid at every level, and agrees with
    :func:`exact_bound` at ``level``.

    Args:
        outcome: The pairs.
        margin: Between -1 and 1.
        level: The level whose bound orders the outcomes.
    """
    p_zero = coin_tail(outcome.wins, outcome.losses)
    if margin == 0.0:
        return p_zero
    chance = _Extremes(outcome, level).chance(margin)
    return max(chance, p_zero) if margin > 0 else chance


def exact_bound(outcome: Outcome, level: float) -> float:
    """Return the lower bound for the share of pairs won minus the share lost.

    Args:
        outcome: The pairs.
        level: How often the bound may lie above the truth.
    """
    extremes = _Extremes(outcome, level)
    # Where those that the McNemar test rejects are unlikely at 0, they are more so below.
    short = not extremes.rejected and extremes.chance_of_first(0.0) <= level

    def excess(margin: float) -> float:
        chance = extremes.chance_of_likely(margin) if short else extremes.chance(margin)
        return math.log(max(chance, 1e-300) / level)

    low, high = (0.0, 1.0) if extremes.rejected else (-1.0, 0.0)
    if excess(high) <= 0:
        return high
    if low == -1.0:
        low += BOUND_TOLERANCE
        if excess(low) > 0:
            return -1.0
    root = _find_root(excess, low, high)
    while root > low and excess(root) > 0:  # the bound shall err on the safe side
        root = max(low, root - BOUND_TOLERANCE)
    return float(root)


def _find_root(function: Callable[[float], float], low: float, high: float) -> float:
    """Return where an increasing function crosses zero, within ``BOUND_TOLERANCE``.

    Follows: Chandrupatla (1997, A new hybrid quadratic/bisection algorithm for finding the zero of
    a nonlinear function without using derivatives). SciPy's root finders take a second to import.
    """
    newest, other = low, high
    at_newest, at_other = function(newest), function(other)
    oldest, at_oldest = other, at_other
    share = 0.5
    while True:
        place = newest + share * (other - newest)
        value = function(place)
        if (value > 0) == (at_newest > 0):
            oldest, at_oldest = newest, at_newest
        else:
            oldest, at_oldest = other, at_other
            other, at_other = newest, at_newest
        newest, at_newest = place, value
        width = abs(other - newest)
        if value == 0 or width <= BOUND_TOLERANCE:
            return newest if abs(at_newest) < abs(at_other) else other
        share = 0.5
        along = (newest - other) / (oldest - other)
        up = (at_newest - at_other) / (at_oldest - at_other)
        if up * up < along and (1 - up) ** 2 < 1 - along:  # inverse quadratic steps are safe
            share = at_newest / (at_other - at_newest) * at_oldest / (at_other - at_oldest)
            share += (
                (oldest - newest)
                / (other - newest)
                * at_newest
                / (at_oldest - at_newest)
                * at_other
                / (at_oldest - at_other)
            )
        least = BOUND_TOLERANCE / 2 / width
        share = min(max(share, least), 1 - least)


class _Extremes:
    """The outcomes that speak as much against a small difference as a given one does."""

    def __init__(self, outcome: Outcome, level: float) -> None:
        numpy = importlib.import_module("numpy")
        special = importlib.import_module("scipy.special")
        wins, losses, n = outcome.wins, outcome.losses, outcome.n
        critical = NormalDist().inv_cdf(1 - level)
        limit = _score_limit(outcome, critical)

        def mcnemar_rejects(won: NDArray[Any], lost: NDArray[Any]) -> Any:
            tail = special.betainc(numpy.maximum(won, 1), lost + 1.0, 0.5)
            return (won > 0) & (tail <= level)

        def beyond(won: NDArray[Any], lost: NDArray[Any]) -> Any:
            return _score(won, lost, n, limit) >= critical - 1e-9

        self.n = n
        self.rejected = coin_tail(wins, losses) <= level
        self.first = _most_losses(mcnemar_rejects, n)
        ends = _most_losses(beyond, n)
        ends[wins] = max(ends[wins], losses)
        ends = numpy.maximum.accumulate(ends)
        ends = (numpy.minimum if self.rejected else numpy.maximum)(self.first, ends)
        self.ends = numpy.minimum(ends, n - numpy.arange(n + 1))
        untied, tail = wins + losses, level * SET_ASIDE
        self.set_aside = tail
        self.shares = (
            float(special.betaincinv(untied, n - untied + 1, tail / 2)) if untied else 0.0,
            float(special.betaincinv(untied + 1, n - untied, 1 - tail / 2)) if untied < n else 1.0,
        )

    def chance(self, margin: float) -> float:
        """Return a bound for the chance of these outcomes if the difference is ``margin``."""
        if self.rejected:
            return _largest_chance(self.ends, self.n, margin, (0.0, 1.0))
        return max(self.chance_of_likely(margin), self.chance_of_first(margin))

    def chance_of_likely(self, margin: float) -> float:
        """Return the bound over the shares of untied pairs that the data allow."""
        chance = _largest_chance(self.ends, self.n, margin, self.shares)
        return min(1.0, chance + self.set_aside)

    def chance_of_first(self, margin: float) -> float:
        """Return the bound for the outcomes that the McNemar test rejects."""
        chance = _largest_chance(self.first, self.n, margin, (0.0, 1.0))
        return min(1.0, chance + self.set_aside)


def _most_losses(holds: Any, n: int) -> NDArray[Any]:
    """Return for every number of wins the most losses for which ``holds``; -1 for none."""
    numpy = importlib.import_module("numpy")
    wins = numpy.arange(n + 1)
    low, high = numpy.full(n + 1, -1), n - wins
    while (low < high).any():
        middle = (low + high + 1) // 2
        fits = holds(wins, numpy.maximum(middle, 0))
        low = numpy.where((low < high) & fits, middle, low)
        high = numpy.where((low < high) & ~fits, middle - 1, high)
    ends: NDArray[Any] = numpy.maximum.accumulate(low)
    return ends


def _score(wins: Any, losses: Any, n: int, margin: float) -> Any:
    """Return the score statistic of a difference, corrected for continuity and skewness."""
    numpy = importlib.import_module("numpy")
    linear = wins * (1 + margin) + losses * (1 - margin) - 2 * n * margin
    root = numpy.sqrt(numpy.maximum(linear**2 + 8 * n * losses * margin * (1 - margin), 0.0))
    lost = numpy.clip((linear + root) / (4 * n), max(0.0, -margin), (1 - margin) / 2)
    variance = numpy.maximum(2 * lost + margin - margin**2, 1e-12)
    third = margin - 3 * margin * (2 * lost + margin) + 2 * margin**3
    score = (wins - losses - n * margin - 0.5) / numpy.sqrt(variance * n)
    # Within these limits the correction leaves more wins a higher score.
    skewness = numpy.clip(third / (variance**1.5 * math.sqrt(n)), -6.0, 0.9)
    return score - skewness / 6 * (numpy.clip(score, 0.0, 3.0) ** 2 - 1)


def _score_limit(outcome: Outcome, critical: float) -> float:
    low, high = -1.0, 1.0
    for _ in range(50):
        middle = (low + high) / 2
        reached = _score(outcome.wins, outcome.losses, outcome.n, middle) >= critical
        low, high = (middle, high) if reached else (low, middle)
    return low


def _largest_chance(
    ends: NDArray[Any], n: int, margin: float, shares: tuple[float, float]
) -> float:
    """Return the largest chance of the outcomes within ``ends`` if the difference is ``margin``.

    Args:
        ends: For every number of wins the most losses.
        n: Pairs.
        margin: The difference.
        shares: The smallest and the largest share of untied pairs that are considered.
    """
    numpy = importlib.import_module("numpy")
    least, most = max(abs(margin), shares[0]), min(1.0, shares[1])
    if least > most:
        return 0.0

    def chances(places: NDArray[Any]) -> list[float]:
        # Little changes for many untied pairs, much for few: the grid is finer there.
        untied = least + (most - least) * places**2
        # The more pairs, the fewer shares at once: their likely numbers of wins lie far apart.
        parts = numpy.array_split(untied, min(len(untied), 1 + n // FEW))
        return [chance for part in parts for chance in _chances(ends, n, part, margin)]

    places = numpy.linspace(0.0, 1.0, GRID)
    values = chances(places)
    best = max(values)
    for top in _peaks(values):
        left, right = places[max(0, top - 1)], places[min(GRID - 1, top + 1)]
        best = max(best, *chances(numpy.linspace(left, right, REFINED)))
    return float(min(1.0, best))


def _peaks(values: Sequence[float]) -> list[int]:
    """Return the places of the largest local maxima."""
    padded = [0.0, *values, 0.0]
    peaks = [
        place
        for place, value in enumerate(values)
        if value >= padded[place] and value >= padded[place + 2]
    ]
    return sorted(peaks, key=values.__getitem__, reverse=True)[:PEAKS]


def _chances(ends: NDArray[Any], n: int, untied: NDArray[Any], margin: float) -> list[float]:
    """Return the chance of an outcome within ``ends`` for each share of untied pairs.

    Args:
        ends: For every number of wins the most losses.
        n: Pairs.
        untied: Shares of pairs that are won or lost.
        margin: Share won minus share lost.
    """
    numpy = importlib.import_module("numpy")
    special = importlib.import_module("scipy.special")
    won = numpy.clip((untied + margin) / 2, 0.0, 1.0)
    lost = numpy.clip((untied - margin) / 2, 0.0, 1.0)
    spread = REACH * numpy.sqrt(n * won * (1 - won)) + 2 * REACH
    first = max(0, int((n * won - spread).min()))
    wins = numpy.arange(first, min(n, int((n * won + spread).max()) + 1) + 1)
    won, lost = won[:, None], lost[:, None]
    others, most = n - wins, ends[wins]
    ways = special.gammaln(n + 1) - special.gammaln(wins + 1) - special.gammaln(others + 1)
    weight = numpy.exp(ways + special.xlogy(wins, won) + special.xlog1py(others, -won))
    share = numpy.minimum(1.0, lost / numpy.maximum(1 - won, 1e-300))
    inside = special.betainc(
        numpy.maximum(others - most, 1), numpy.maximum(most, 0) + 1.0, 1 - share
    )
    inside = numpy.where(most >= others, 1.0, numpy.where(most < 0, 0.0, inside))
    return [float(total) for total in (weight * inside).sum(axis=1)]
