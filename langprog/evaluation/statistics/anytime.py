"""Tests and intervals that hold at whatever time one looks at the data.

If there is nothing to find, an average of likelihood ratios exceeds 1/a with a chance of a at
most, over the whole run, however often it is looked at.
"""

from __future__ import annotations

import math

# The bets behind an interval, as shares of the boldest one: large for few values, small for many;
# and what part of the wealth makes each of them.
_BETS = tuple(0.6 * 0.5**step for step in range(10))
_PARTS = tuple((step + 1) ** -1.5 for step in range(10))


def anytime_sign_p(first: int, second: int) -> float:
    """Return a p-value, valid whenever one looks, for two counts that are equally likely.

    Follows: Robbins (1970, Statistical methods related to the law of the iterated logarithm), the
    mixture of likelihood ratios, here over the Beta(1/2, 1/2) distribution. Differs: it is the
    reciprocal of the mixture now, not of its largest value so far, and so the more careful one.

    Args:
        first: How often the one came out.
        second: How often the other one did.
    """
    n = first + second
    if not n:
        return 1.0
    log_beta = math.lgamma(first + 0.5) + math.lgamma(second + 0.5) - math.lgamma(n + 1)
    return min(1.0, math.exp(-max(0.0, log_beta - math.log(math.pi) + n * math.log(2))))


class RunningMean:
    """The mean of bounded values that keep coming, with an interval that holds at all times.

    With a chance of 95 %, all its intervals of the whole run are right together. Values need not
    be alike: the interval is about the mean, over the values so far, of what each was expected
    to be, given those before it.

    Follows: Howard, Ramdas, McAuliffe and Sekhon (2021, Time-uniform, nonparametric, nonasymptotic
    confidence sequences), the empirical Bernstein bound. Differs: the mixture is over ten
    bets, each half of the one before, so that it is a short sum.

    Args:
        low: The lowest value.
        high: The highest one.
    """

    def __init__(self, low: float = 0.0, high: float = 1.0) -> None:
        self.low, self.high = low, high
        self.n = 0
        self._sum = 0.0
        # Squared distances of values from what was expected before, in widths of the range.
        self._squares = 0.0

    def add(self, value: float) -> None:
        """Count a value."""
        expected = ((self.low + self.high) / 2 + self._sum) / (1 + self.n)
        self._squares += ((value - expected) / (self.high - self.low)) ** 2
        self._sum += value
        self.n += 1

    @property
    def mean(self) -> float | None:
        """The mean; ``None`` without a value."""
        return self._sum / self.n if self.n else None

    def interval(self, level: float = 0.05) -> tuple[float, float]:
        """Return the interval, both ends together at ``level``."""
        if not self.n:
            return self.low, self.high
        half = _largest_sum(self._squares, level / 2) * (self.high - self.low) / self.n
        middle = self._sum / self.n
        return max(self.low, middle - half), min(self.high, middle + half)


def _largest_sum(squares: float, level: float) -> float:
    """Return how far a sum of values may be from what was expected, in widths of their range."""
    target = math.log(sum(_PARTS) / level)
    costs = [
        (-math.log(1 - bet) - bet) * squares - math.log(part)
        for bet, part in zip(_BETS, _PARTS, strict=True)
    ]
    # Where one bet alone wins as much, all of them together do.
    low, high = 0.0, min((target + cost) / bet for bet, cost in zip(_BETS, costs, strict=True))
    for _ in range(50):
        middle = (low + high) / 2
        won = [bet * middle - cost for bet, cost in zip(_BETS, costs, strict=True)]
        most = max(won)
        if most + math.log(sum(math.exp(each - most) for each in won)) < target:
            low = middle
        else:
            high = middle
    return high
