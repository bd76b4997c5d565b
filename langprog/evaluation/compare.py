"""Two programs on the same examples."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from langprog.errors import InputError
from langprog.evaluation.report import Report
from langprog.evaluation.statistics import LEVEL, PairedScores, bound_mean


@dataclass(frozen=True, slots=True)
class Comparison:
    """The second report against the first, on the rows that have a score in both.

    Rows with the same example form one cluster; clusters are counted and averaged.

    Args:
        difference: Mean of second minus first.
        interval: Its 95 % interval. It excludes zero exactly if ``p_value`` is 0.05 or less.
        p_value: P-value of the hypothesis that there is no difference (two-sided).
        p_greater: P-value of the hypothesis that the second is not better (one-sided).
        n: Clusters.
        wins: Clusters where the second is better.
        losses: Clusters where the first is better.
        ties: Clusters that are equal.
        missing: Examples omitted because at least one of their rows has no score.
    """

    difference: float
    interval: tuple[float, float]
    p_value: float
    p_greater: float
    n: int
    wins: int
    losses: int
    ties: int
    missing: int = 0

    def to_json(self) -> dict[str, Any]:
        """Return the comparison as plain JSON."""
        return {**asdict(self), "interval": list(self.interval)}

    def __str__(self) -> str:
        low, high = self.interval
        left_out = f" ({self.missing} without a score left out)" if self.missing else ""
        return (
            f"{self.difference:+.3f} [{low:+.3f}, {high:+.3f}] on {self.n} examples{left_out}, "
            f"{self.wins} won, {self.losses} lost, p = {self.p_value:.2g}"
        )


def compare(
    first: Report,
    second: Report,
    *,
    clusters: Sequence[Hashable] | None = None,
    score_range: tuple[float, float] = (0.0, 1.0),
) -> Comparison:
    """Compare two reports, paired by example.

    Interval and p-values hold for every number of examples and every distribution of scores within
    the range; they are those of :func:`langprog.evaluation.bound_mean`.

    Args:
        first: The report to compare with.
        second: The report to be compared.
        clusters: The cluster of each row; by default, rows with equal examples share one.
        score_range: The lowest and the highest score that the metric can give.

    Raises:
        InputError: The reports are not about the same examples or metric, share no scored row, or
            have scores outside the range.
    """
    kept = _scored_in_both(first, second)
    if clusters is not None and len(clusters) != len(first.rows):
        raise InputError(f"{len(clusters)} clusters for {len(first.rows)} rows: give one a row")
    pairs = PairedScores(
        [before for _, before, _ in kept],
        [after for _, _, after in kept],
        [
            first.rows[place].example.digest if clusters is None else clusters[place]
            for place, _, _ in kept
        ],
        score_range,
    )
    up = bound_mean(pairs, level=LEVEL / 2)
    down = bound_mean(pairs.swapped(), level=LEVEL / 2)
    return Comparison(
        difference=pairs.difference,
        interval=(up.bound, -down.bound),
        p_value=min(1.0, 2 * min(up.p_values[0.0], down.p_values[0.0])),
        p_greater=bound_mean(pairs, level=LEVEL).p_values[0.0],
        n=pairs.n,
        wins=pairs.wins,
        losses=pairs.losses,
        ties=pairs.ties,
        missing=len(first.rows) - len(kept),
    )


def _scored_in_both(first: Report, second: Report) -> list[tuple[int, float, float]]:
    """Return the position and both scores of every row that has both."""
    if first.metric and second.metric and first.metric != second.metric:
        raise InputError(
            f"the reports are scored by {first.metric} and {second.metric}: "
            "compare programs under the same metric"
        )
    if len(first.rows) != len(second.rows):
        raise InputError(
            f"the reports have {len(first.rows)} and {len(second.rows)} rows: "
            "compare programs on the same examples"
        )
    kept = []
    for place, (before, after) in enumerate(zip(first.rows, second.rows, strict=True)):
        if before.example != after.example:
            raise InputError(
                f"row {before.index} of the reports is not the same example: "
                "compare programs on the same examples in the same order"
            )
        if before.score is not None and after.score is not None:
            kept.append((place, before.score.value, after.score.value))
    if not kept:
        raise InputError("the reports share no row that has a score in both")
    return kept
