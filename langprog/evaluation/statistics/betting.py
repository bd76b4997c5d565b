"""Tests of a mean of bounded values, by betting.

Follows: Waudby-Smith and Ramdas (2024, Estimating means of bounded random variables by betting)
for the test: whoever bets against a true hypothesis becomes 20 times as rich in 1 of 20 cases at
most; Voracek and Orabona (2025, STaR-Bets) for the bets: each one is what the wealth still to be
won and the values still to come ask for. Differs: the variance starts from half a pseudo-value of
the largest variance possible; margins lie on a fixed grid, as wealth need not fall as the margin
rises, and a bound is the last of the margins that were rejected without a gap from the lowest on.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

# The largest stake, as a share of what a single value can cost.
BOLDEST = 0.99
PRIOR_VARIANCE, PRIOR_WEIGHT = 0.5, 1.0
# Spacing of the margins near zero, the limit of that region, and the spacing beyond it.
FINE, NEAR, COARSE = 0.001, 0.25, 0.01
# Replaces zero on the grid, because the bound of a gain must be above zero.
LEAST_GAIN = 1e-4


def margin_grid(margins: Sequence[float] = ()) -> list[float]:
    """Return the margins that a bound can take, between -1 and 1, in ascending order.

    Args:
        margins: Margins to include; zero is replaced by the smallest gain.
    """
    coarse = round(1 / COARSE)
    fine = round(NEAR / FINE)
    points = {step * COARSE for step in range(1 - coarse, coarse) if abs(step * COARSE) > NEAR}
    points |= {step * FINE for step in range(-fine, fine + 1) if step}
    points |= {margin for margin in margins if margin and -1.0 < margin < 1.0}
    return sorted(points | {LEAST_GAIN})


def log_wealth(
    values: Sequence[float], margins: Sequence[float], targets: Sequence[float]
) -> NDArray[Any]:
    """Return the logarithm of the most wealth that bets against each margin came to.

    Betting stops once the target is reached. If the mean is ``margin`` at most, the chance to
    reach a wealth of w is 1 / w at most, whatever the distribution and the number of values.

    Args:
        values: Between -1 and 1, in an order that does not depend on them.
        margins: Means that are bet against, above -1.
        targets: Logarithm of the wealth aimed at, for each margin.
    """
    numpy = importlib.import_module("numpy")
    n, against = len(values), numpy.asarray(margins, dtype=float)
    goal = numpy.asarray(targets, dtype=float)
    boldest = BOLDEST / (1.0 + against)
    # Half the spread that the bets are sized by, per value still to come.
    spread = [v * (n - t) / 2 for t, v in enumerate(_variances(values))]
    wealth = numpy.zeros(len(against))
    most: NDArray[Any] = numpy.zeros(len(against))
    for value, size in zip(values, spread, strict=True):
        needed = numpy.maximum(goal - wealth, 0.0)
        bet = numpy.minimum(numpy.sqrt(needed / size), boldest)
        wealth += numpy.log1p(bet * (value - against))
        numpy.maximum(most, wealth, out=most)
    return most


def _variances(values: Sequence[float]) -> list[float]:
    """Return, for every value, the variance estimated from the values before it."""
    total = squares = 0.0
    known = []
    for count, value in enumerate(values):
        known.append((PRIOR_VARIANCE + squares) / (PRIOR_WEIGHT + count))
        before = total / (count + 1)
        total += value
        squares += (value - before) * (value - total / (count + 2))
    return known


def target(level: float) -> float:
    """Return the logarithm of the wealth that rejects at ``level``."""
    return -math.log(level)
