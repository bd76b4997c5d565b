"""Forecasts of what a search will request, stage by stage, as ranges."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from optimizers.events import Stage


@dataclass(frozen=True, slots=True)
class Range:
    """A range of a number that is not known yet.

    Args:
        low: The number if every query is cheap.
        high: The number if every query is expensive. For a late stage it may be smaller than
            ``low``, as less of the budget is left then.
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
        """The geometric mean of both ends."""
        return math.sqrt(self.low * self.high)

    def __str__(self) -> str:
        low, high = (round(end) for end in self.ends)
        return f"{low:,}" if low == high else f"{low:,} to {high:,}"


@dataclass(frozen=True, slots=True)
class ForecastInputs:
    """What a forecast is based on.

    Args:
        predictors: Number of predictors in the program.
        train: Number of training examples.
        validation: Number of validation examples.
        queries: Queries of the program that the search's part of the budget pays for; ``inf``
            without a cap.
        right: Share of examples with full marks now, if it was measured.
        alternatives: Total number of steps in cascades and routes.
    """

    predictors: int
    train: int
    validation: int
    queries: float = math.inf
    right: float | None = None
    alternatives: int = 0


@dataclass(frozen=True, slots=True)
class StageForecast:
    """The requests of one stage of a search.

    Args:
        stage: The stage.
        queries: Runs of the program on an example.
        proposals: Requests to the proposer.
        candidates: Candidates tried.
    """

    stage: Stage
    queries: Range = Range()
    proposals: Range = Range()
    candidates: Range = Range()


def cut_to_budget(stages: Iterable[StageForecast], queries: float) -> list[StageForecast]:
    """Return ``stages``, in order, as far as ``queries`` pay for them."""
    left = Range(queries, queries)
    affordable = []
    for stage in stages:
        cut = Range(min(stage.queries.low, left.low), min(stage.queries.high, left.high))
        paid = cut.high / stage.queries.high if stage.queries.high else 1.0
        affordable.append(
            StageForecast(stage.stage, cut, stage.proposals, stage.candidates.times(paid))
        )
        left = Range(left.low - cut.low, left.high - cut.high)
    return affordable
