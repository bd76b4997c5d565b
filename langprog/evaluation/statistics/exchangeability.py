"""Are later replies exchangeable with earlier ones? A test that may be looked at at any time.

If they are, the newest reply is as likely as any earlier one to be the strangest of all. Each new
reply gives a p-value from its rank, and these are uniform and independent; wealth is bet against
that. Without a change, wealth ever reaches 1/a with a chance of at most a.
"""

from __future__ import annotations

import random
import statistics
from collections import Counter
from collections.abc import Callable, Hashable, Iterable
from functools import cache
from typing import Generic, TypeVar

Reply = TypeVar("Reply", bound=Hashable)

# Exponents of the power martingales; small ones bet on small p-values more eagerly.
_POWERS = (0.1, 0.3, 0.6)
# The first component does not bet, then come bets on strange replies, then on usual ones.
_START = (0.5, *(0.125,) * 3, *(0.125 / 3,) * 3)
# Share of the wealth that is divided anew before each bet: without it, years of quiet would use
# up what bets on a change that comes late.
_JUMP = 0.01
_SMALLEST = 1e-12


def differ(first: object, second: object) -> float:
    """Return 0 for equal replies and 1 for others."""
    return float(first != second)


class ConformalRanks(Generic[Reply]):
    """Earlier replies to one question; gives each new one the p-value of its rank.

    Follows: Vovk, Gammerman, Shafer (2005, Algorithmic learning in a random world), smoothed
    conformal p-values. Differs: replies are weighed by how often each occurs, to be quick.
    A reply's strangeness is its mean distance from the others. Each new reply
    joins the earlier ones, so that all p-values are independent, and none is bet on twice.

    Args:
        earlier: Replies before the test.
        distance: Symmetric; 0 for equal replies.
    """

    def __init__(
        self, earlier: Iterable[Reply], distance: Callable[[Reply, Reply], float] = differ
    ) -> None:
        self._counts = Counter(earlier)
        self._distance = distance
        self._known: dict[tuple[Reply, Reply], float] = {}

    @property
    def counts(self) -> Counter[Reply]:
        """How often each reply was seen, the new ones among them."""
        return self._counts

    def add(self, reply: Reply, draw: float) -> float:
        """Return the p-value of a new reply, small if it is stranger than the earlier ones.

        Args:
            reply: The reply.
            draw: Uniform between 0 and 1; breaks ties.
        """
        self._counts[reply] += 1
        strangeness = {each: self._strangeness(each) for each in self._counts}
        own = strangeness[reply]
        total = self._counts.total()
        ahead = sum(n for each, n in self._counts.items() if strangeness[each] > own)
        tied = sum(n for each, n in self._counts.items() if strangeness[each] == own)
        return (ahead + draw * tied) / total

    def _strangeness(self, reply: Reply) -> float:
        # Rounded, so that the order of a sum does not break ties.
        return round(sum(n * self._apart(reply, each) for each, n in self._counts.items()), 9)

    def _apart(self, first: Reply, second: Reply) -> float:
        if first == second:
            return 0.0
        known = self._known.get((first, second))
        if known is None:
            known = self._distance(first, second)
            self._known[first, second] = self._known[second, first] = known
        return known


class BettingWealth:
    """Wealth that was bet against p-values being uniform and independent; it starts with 1.

    Follows: Vovk, Nouretdinov, Gammerman (2003, Testing exchangeability on-line), power
    martingales, and the jumper of Vovk et al. (2021, Retrain or not retrain), which moves a share
    of the wealth between the bets. Differs: one component does not bet, and some bet on p-values
    near 1, as a model that has become more uniform makes them.
    """

    def __init__(self) -> None:
        self._parts = list(_START)
        self.bets = 0
        self.peak = 1.0

    @property
    def wealth(self) -> float:
        """The wealth now."""
        return sum(self._parts)

    def bet(self, p: float) -> None:
        """Bet on the next p-value."""
        low, high = max(p, _SMALLEST), max(1.0 - p, _SMALLEST)
        gains = [
            1.0,
            *(e * low ** (e - 1) for e in _POWERS),
            *(e * high ** (e - 1) for e in _POWERS),
        ]
        whole = self.wealth
        self._parts = [
            ((1 - _JUMP) * part + _JUMP * whole * start) * gain
            for part, start, gain in zip(self._parts, _START, gains, strict=True)
        ]
        self.bets += 1
        self.peak = max(self.peak, self.wealth)


@cache
def bets_until(threshold: float, replies: int, share: float, *, most: int = 200) -> int | None:
    """Estimate how many new replies it takes until a change is found, by seeded simulation.

    Args:
        threshold: The wealth at which it is found.
        replies: Earlier replies to each question, all alike.
        share: Share of the questions whose reply is now another one.
        most: Where the simulation ends.

    Returns:
        The median of 15 runs; ``None`` if it is above ``most``.
    """
    counts = []
    for run in range(15):
        rng, wealth = random.Random(run), BettingWealth()
        while wealth.peak < threshold and wealth.bets <= most:
            changed = rng.random() < share
            wealth.bet(rng.random() / (replies + 1) if changed else rng.random())
        counts.append(wealth.bets)
    middle = int(statistics.median(counts))
    return middle if middle <= most else None
