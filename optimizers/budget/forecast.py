"""What a search expects to ask for, before it asks: work by stage, as ranges."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from optimizers.events import Stage


@dataclass(frozen=True, slots=True)
class Range:
    """A range of a number that is not known yet.

    Args:
        low: The number where all goes cheaply.
        high: The number where all goes dearly; of a late stage it may be the smaller one, where
            nothing is left for it then.
    """

    low: float = 0.0
    high: float = 0.0

    def plus(self, other: Range) -> Range:
        """Return the range of a sum."""
        return Range(self.low + other.low, self.high + other.high)

    def times(self, low: float, high: float | None = None) -> Range:
        """Return the range of a product with a number between ``low`` and ``high``."""
        return Range(self.low * low, self.high * (low if high is None else high))

    @property
    def ends(self) -> tuple[float, float]:
        """The smaller and the larger number."""
        return min(self.low, self.high), max(self.low, self.high)

    @property
    def middle(self) -> float:
        """The geometric mean of both ends: as many times above the low one as below the high."""
        return math.sqrt(self.low * self.high)

    def __str__(self) -> str:
        low, high = (round(end) for end in self.ends)
        return f"{low:,}" if low == high else f"{low:,} to {high:,}"


@dataclass(frozen=True, slots=True)
class ForecastInputs:
    """What a forecast may know.

    Args:
        predictors: Predictors of the program.
        train: Training examples.
        validation: Validation examples.
        queries: Queries of the program that the search's part of the budget pays for; ``inf``
            where there is no cap.
        right: How often the program has full marks now, where that was measured.
        alternatives: Steps of its cascades and routes in all.
    """

    predictors: int
    train: int
    validation: int
    queries: float = math.inf
    right: float | None = None
    alternatives: int = 0


@dataclass(frozen=True, slots=True)
class StageForecast:
    """What one stage of a search takes.

    Args:
        stage: The stage.
        queries: Runs of the program on an example.
        proposals: Requests to the proposer.
        candidates: Candidates that are tried.
    """

    stage: Stage
    queries: Range = Range()
    proposals: Range = Range()
    candidates: Range = Range()


def cut_to_budget(works: Iterable[StageForecast], queries: float) -> list[StageForecast]:
    """Return ``works`` as far as ``queries`` pay for them, stage after stage."""
    left = Range(queries, queries)
    found = []
    for work in works:
        cut = Range(min(work.queries.low, left.low), min(work.queries.high, left.high))
        paid = cut.high / work.queries.high if work.queries.high else 1.0
        found.append(StageForecast(work.stage, cut, work.proposals, work.candidates.times(paid)))
        left = Range(left.low - cut.low, left.high - cut.high)
    return found
