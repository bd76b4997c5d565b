"""Is a mean difference larger than a margin? Tests and bounds that hold for every n.

There are two tests, and the scores decide which one applies:

- where every cluster is won, lost or tied by the whole width of the score range (scores of 0 and
  1, one row a cluster): the exact test of ``trinomial``, which is the McNemar test at margin 0;
- everywhere else: the betting test of ``betting``.

Both hold their level for every n and every distribution of bounded scores. That the choice
depends on the scores costs nothing that matters: with A the event that the exact test is chosen,
Q the distribution of the clusters given A, and W the wealth of the bets, the chance of a false
claim is at most ``s + P(A) (P(exact test rejects | Q) - s E(W | Q))``, if bets have to reach 1/s,
since the bets win nothing on average if the hypothesis is true. The bets aim at the same decision,
and s is 5 % below the level, which leaves room for what the two tests differ in.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from langprog.errors import InputError
from langprog.evaluation.statistics.betting import LEAST_GAIN, log_wealth, margin_grid, target
from langprog.evaluation.statistics.pairs import ROUNDING, PairedScores
from langprog.evaluation.statistics.trinomial import SET_ASIDE, Outcome, exact_bound, exact_p

LEVEL = 0.05
# The level that bets have to meet, as a share of the requested level; see above.
SHARE = 0.95
# Shares of the level that are tried for the p-values of bets, if the level itself is met.
SMALLER = (1.0, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.001, 0.0001)


@dataclass(frozen=True, slots=True)
class MeanTest:
    """Whether the mean difference exceeds each of some margins.

    Args:
        bound: Lower bound for the mean over clusters of after minus before, on the scale of the
            scores; it exceeds the truth with a chance of ``level`` at most.
        p_values: For every requested margin, the p-value of the hypothesis that the mean
            difference is that margin at most.
        level: The level of the bound.
        method: ``exact`` or ``betting``.
    """

    bound: float
    p_values: dict[float, float]
    level: float
    method: Literal["exact", "betting"]


def bound_mean(
    pairs: PairedScores, *, margins: Sequence[float] = (0.0,), level: float = LEVEL
) -> MeanTest:
    """Test whether the mean difference exceeds margins, and bound it from below.

    Test and bound are one family: a margin is rejected at ``level`` exactly where the bound lies
    at or above it, and a margin of zero exactly where the bound lies above zero.

    Follows: McNemar (1947), Buehler (1957) and Tango (1998) for scores of 0 and 1; Waudby-Smith
    and Ramdas (2024) and Voracek and Orabona (2025) for all others. Differs: see ``trinomial`` and
    ``betting``.

    Args:
        pairs: The scores.
        margins: On the scale of the scores: 0 for "better", ``-tolerance`` for "not worse by more
            than the tolerance".
        level: How often the bound may lie above the truth.

    Raises:
        InputError: The level is not between 0 and 1/2.
    """
    check_level(level)
    relative = [margin / pairs.width for margin in margins]
    outcome = _outcome(pairs)
    method: Literal["exact", "betting"] = "betting" if outcome is None else "exact"
    if outcome is None:
        values = [value / pairs.width for value in pairs.differences]
        bound, p_values = _bets(values, relative, level)
    else:
        bound = exact_bound(outcome, level)
        p_values = [_exact_p(outcome, margin, level) for margin in relative]
    return MeanTest(
        bound=bound * pairs.width,
        p_values=dict(zip(margins, p_values, strict=True)),
        level=level,
        method=method,
    )


def mean_p(pairs: PairedScores, margin: float = 0.0, *, level: float = LEVEL) -> float:
    """Return the p-value of the hypothesis that the mean difference is ``margin`` at most.

    It is that of :func:`bound_mean`, for a fraction of the work where the bound is not needed.

    Args:
        pairs: The scores.
        margin: On the scale of the scores.
        level: The level that the test is made for; the p-value holds at every level.

    Raises:
        InputError: The level is not between 0 and 1/2.
    """
    check_level(level)
    outcome = _outcome(pairs)
    if outcome is None:
        return bound_mean(pairs, margins=(margin,), level=level).p_values[margin]
    return _exact_p(outcome, margin / pairs.width, level)


def paired_mean_interval(pairs: PairedScores, level: float = LEVEL) -> tuple[float, float]:
    """Return a two-sided interval that contains the mean difference except with chance ``level``.

    Each end is the bound of :func:`bound_mean` at half the level.

    Raises:
        InputError: The level is not between 0 and 1/2.
    """
    low = bound_mean(pairs, level=level / 2).bound
    high = -bound_mean(pairs.swapped(), level=level / 2).bound
    return low, high


def fewest_clusters(
    claim: Literal["better", "not worse", "cheaper", "quicker", "worse"],
    *,
    tolerance: float = 0.0,
    level: float = LEVEL,
) -> int:
    """Return the fewest clusters on which a claim can succeed.

    For "not worse" this assumes that no cluster becomes better, as is usual where a cheaper
    program gives the same answers: n ties show less than ``tolerance`` is lost where
    ``(1 - tolerance) ** n <= level``. For the others it assumes that every cluster agrees.

    Args:
        claim: What is to be shown.
        tolerance: For "not worse", as a share of the width of the score range.
        level: Of the test.

    Raises:
        InputError: The level is not between 0 and 1/2, or the tolerance not between 0 and 1.
    """
    check_level(level)
    if not 0.0 <= tolerance < 1.0:
        raise InputError(f"the tolerance must be 0 or more and below 1, not {tolerance:g}")
    if claim != "not worse" or tolerance == 0:
        return math.ceil(-math.log2(level))
    usable = level * (1 - SET_ASIDE)
    return math.ceil(math.log(usable) / math.log(1.0 - tolerance))


def check_level(level: float) -> None:
    """Check that ``level`` can be the level of a test.

    Raises:
        InputError: It is not between 0 and 1/2.
    """
    if not 0.0 < level < 0.5:
        raise InputError(f"the level of a test must be between 0 and 0.5, not {level:g}")


def _outcome(pairs: PairedScores) -> Outcome | None:
    """Return wins and losses if each has the width of the score range, else ``None``."""
    values = [value / pairs.width for value in pairs.differences]
    if any(abs(value - round(value)) > ROUNDING for value in values):
        return None
    return Outcome(pairs.wins, pairs.losses, pairs.n)


def _exact_p(outcome: Outcome, margin: float, level: float) -> float:
    if margin <= -1.0:  # no difference is smaller: only the smallest one itself remains possible
        return 0.0 if outcome.losses < outcome.n else 1.0
    return 1.0 if margin >= 1.0 else exact_p(outcome, margin, level)


def _bets(
    values: Sequence[float], margins: Sequence[float], level: float
) -> tuple[float, list[float]]:
    grid = margin_grid(margins)
    asked = [_on_grid(margin, grid) for margin in margins]
    # Columns: the whole grid at the level, then every requested margin at each smaller level.
    smaller = [SHARE * level * share for share in SMALLER[1:]]
    inside = [place for place in asked if place is not None]
    against = grid + [grid[place] for place in inside for _ in smaller]
    targets = [target(SHARE * level)] * len(grid) + [target(s) for s in smaller] * len(inside)
    wealth = log_wealth(values, against, targets)
    p_values = [min(1.0, math.exp(-most) / SHARE) for most in wealth]
    last = next(
        (i for i, p in enumerate(p_values[: len(grid)]) if p > level * (1 + 1e-9)), len(grid)
    )
    bound = grid[last - 1] if last else -1.0
    result, start = [], len(grid)
    for place in asked:
        if place is None:
            result.append(1.0)
            continue
        p = max(p_values[: place + 1])
        if place < last:
            p = level
            for share, reached in zip(SMALLER[1:], p_values[start:], strict=False):
                if reached > level * share * (1 + 1e-9):
                    break
                p = level * share
        result.append(p)
        start += len(smaller)
    return bound, result


def _on_grid(margin: float, grid: Sequence[float]) -> int | None:
    """Return the place of the smallest margin of the grid that is not below ``margin``."""
    if margin == 0.0:
        margin = LEAST_GAIN
    return next((place for place, point in enumerate(grid) if point >= margin), None)
