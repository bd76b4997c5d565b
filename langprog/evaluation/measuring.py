"""What two runs of an example took, where that can be compared."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from langprog.evaluation.report import Row
from langprog.evaluation.statistics import PairedCosts
from langprog.lm import FROM_CACHE

Measure = Callable[[Row], float | None]


@dataclass(frozen=True)
class Measured:
    """Dollars and seconds of two programs on the same examples.

    Endpoints get quicker and cheaper overnight, so what a cache or the journal of another session
    remembers says nothing about the programs: seconds are compared only if both runs were timed
    in the same session, dollars only if both have the price of the same time.

    Args:
        before: The first program's rows.
        after: The second program's.
        clusters: What each row belongs to.
    """

    before: Sequence[Row]
    after: Sequence[Row]
    clusters: Sequence[str]

    @property
    def dollars(self) -> PairedCosts:
        """Dollars of every row; unknown where they cannot be compared."""
        known = [_share_one(_list_prices(b) | _list_prices(a)) for b, a in self._pairs]
        return self._select(known, _dollars)

    @property
    def seconds(self) -> PairedCosts:
        """Seconds of every row; unknown where they cannot be compared."""
        known = [_share_one(_list_times(b) | _list_times(a)) for b, a in self._pairs]
        return self._select(known, sum_latency)

    def count_unmeasured(self, objective: str) -> int:
        """Return how many rows say nothing about an objective, ``cost`` or ``latency``."""
        origins = _list_prices if objective == "cost" else _list_times
        return sum(not _share_one(origins(b) | origins(a)) for b, a in self._pairs)

    @property
    def _pairs(self) -> list[tuple[Row, Row]]:
        return list(zip(self.before, self.after, strict=True))

    def _select(self, known: Sequence[bool], measure: Measure) -> PairedCosts:
        def values(rows: Sequence[Row]) -> list[float | None]:
            return [
                measure(row) if use and row.score is not None else None
                for row, use in zip(rows, known, strict=True)
            ]

        return PairedCosts(values(self.before), values(self.after), self.clusters)


def sum_latency(row: Row) -> float:
    """Return the seconds of a row's calls, as if they were made one at a time."""
    return sum(completion.latency for step in row.trace for completion in step.completions)


def _dollars(row: Row) -> float | None:
    return row.usage.dollars


def _share_one(origins: set[str]) -> bool:
    return len(origins) <= 1 and FROM_CACHE not in origins


def _list_times(row: Row) -> set[str]:
    return {completion.timed_in for step in row.trace for completion in step.completions}


def _list_prices(row: Row) -> set[str]:
    return {completion.priced_in for step in row.trace for completion in step.completions}
