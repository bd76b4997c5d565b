"""Paired scores and paired costs, cluster by cluster."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from langprog.errors import InputError

# Sums of the same scores in another order may differ in the last digits.
ROUNDING = 1e-9


@dataclass(frozen=True)
class PairedScores:
    """Scores of two programs on the same rows.

    What is estimated is the mean over clusters of the mean difference in a cluster, so a cluster
    with many rows counts as much as one with a single row.

    Args:
        before: The first program's score of every row.
        after: The second program's score of every row.
        clusters: The cluster of each row: rows with equal inputs form one. ``None``: every row is
            its own cluster.
        score_range: The lowest and the highest score that the metric can give.

    Raises:
        InputError: There is no row, the lengths differ, or a score is outside the range.
    """

    before: Sequence[float]
    after: Sequence[float]
    clusters: Sequence[Hashable] | None = None
    score_range: tuple[float, float] = (0.0, 1.0)

    def __post_init__(self) -> None:
        _check_lengths(self.before, self.after, self.clusters)
        low, high = self.score_range
        if not (math.isfinite(low) and math.isfinite(high) and low < high):
            raise InputError(
                f"a score range needs a low and a higher finite end, not {low:g} and {high:g}"
            )
        slack = ROUNDING * (high - low)
        for number, value in enumerate([*self.before, *self.after]):
            if not low - slack <= value <= high + slack:
                raise InputError(
                    f"the score {value:g} of row {number % len(self.before)} is outside the range "
                    f"{low:g} to {high:g}: declare the range that the metric really has"
                )

    @property
    def width(self) -> float:
        """The largest difference that two scores can have."""
        return self.score_range[1] - self.score_range[0]

    @cached_property
    def differences(self) -> tuple[float, ...]:
        """Mean of after minus before in every cluster, in the order of the clusters' digests.

        The order depends on the clusters' names alone, never on the scores: a test that reads
        the clusters one after the other must not be able to choose its order.
        """
        members = _by_cluster(self.clusters, len(self.before))
        changes = [
            math.fsum(self.after[row] - self.before[row] for row in rows) / len(rows)
            for rows in members
        ]
        slack = ROUNDING * self.width
        return tuple(0.0 if abs(change) <= slack else change for change in changes)

    @property
    def n(self) -> int:
        """Number of clusters."""
        return len(self.differences)

    @property
    def difference(self) -> float:
        """Mean over the clusters."""
        return math.fsum(self.differences) / self.n

    @property
    def wins(self) -> int:
        """Clusters in which the second program is better."""
        return sum(value > 0 for value in self.differences)

    @property
    def losses(self) -> int:
        """Clusters in which the first program is better."""
        return sum(value < 0 for value in self.differences)

    @property
    def ties(self) -> int:
        """Clusters in which the programs are equally good."""
        return self.n - self.wins - self.losses

    def swapped(self) -> PairedScores:
        """Return the same pairs with the programs exchanged."""
        return PairedScores(self.after, self.before, self.clusters, self.score_range)


@dataclass(frozen=True)
class PairedCosts:
    """Costs of two programs for the same rows, in dollars or seconds.

    Args:
        before: The first program's cost of every row; ``None`` if unknown.
        after: The second program's.
        clusters: What each row belongs to; ``None``: every row is its own cluster.

    Raises:
        InputError: There is no row, the lengths differ, or a cost is negative or not finite.
    """

    before: Sequence[float | None]
    after: Sequence[float | None]
    clusters: Sequence[Hashable] | None = None

    def __post_init__(self) -> None:
        _check_lengths(self.before, self.after, self.clusters)
        for number, value in enumerate([*self.before, *self.after]):
            if value is not None and not 0.0 <= value < math.inf:
                raise InputError(
                    f"the cost of row {number % len(self.before)} must be 0 or more, not {value}"
                )

    @cached_property
    def _counts(self) -> tuple[int, int]:
        members = list(_by_cluster(self.clusters, len(self.before)))
        return sum(self._is_smaller(rows) for rows in members), len(members)

    def _is_smaller(self, rows: Sequence[int]) -> bool:
        first = [self.before[row] for row in rows]
        second = [self.after[row] for row in rows]
        known = [value for value in [*first, *second] if value is not None]
        if len(known) < 2 * len(rows):
            return False  # an unknown cost is not evidence
        total = math.fsum(known[: len(rows)])
        return math.fsum(known[len(rows) :]) < total * (1 - ROUNDING)

    @property
    def smaller(self) -> int:
        """Clusters for which the second program took less; ties and unknown costs are not."""
        return self._counts[0]

    @property
    def n(self) -> int:
        """Number of clusters."""
        return self._counts[1]


def _check_lengths(
    before: Sequence[object], after: Sequence[object], clusters: Sequence[object] | None
) -> None:
    if not before:
        raise InputError("no pairs: there is nothing to compare")
    lengths = {len(before), len(after), len(before if clusters is None else clusters)}
    if len(lengths) > 1:
        raise InputError(
            f"{len(before)} values before, {len(after)} after"
            f"{'' if clusters is None else f' and {len(clusters)} clusters'}: "
            "give one of each for every row"
        )


def _by_cluster(clusters: Sequence[Hashable] | None, rows: int) -> Iterator[list[int]]:
    members: dict[Hashable, list[int]] = {}
    for row, name in enumerate(range(rows) if clusters is None else clusters):
        members.setdefault(name, []).append(row)
    for name in sorted(members, key=_digest):
        yield members[name]


def _digest(name: Hashable) -> bytes:
    return hashlib.sha256(repr(name).encode("utf-8", "surrogatepass")).digest()
