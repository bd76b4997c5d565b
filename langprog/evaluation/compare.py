"""Two programs on the same examples."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from langprog.errors import InputError
from langprog.evaluation.report import Report
from langprog.evaluation.statistics import LEVEL, PartialScores, bound_mean


@dataclass(frozen=True, slots=True)
class Comparison:
    """The second report against the first, on the rows that have a score in both.

    Rows with the same example form one cluster; clusters are counted and averaged. For the
    interval and the p-values a row with a score in only one report counts as well, with the
    missing score at its worst: what a program does to a row may be why its score is missing.

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
    _check_reports(first, second)
    if clusters is not None and len(clusters) != len(first.rows):
        raise InputError(f"{len(clusters)} clusters for {len(first.rows)} rows: give one a row")
    before, after = _values(first), _values(second)
    if not any(None not in pair for pair in zip(before, after, strict=True)):
        raise InputError("the reports share no row that has a score in both")
    names = [row.example.digest for row in first.rows] if clusters is None else clusters
    partial = PartialScores.of(before, after, names, score_range)
    pairs = partial.observed
    up = bound_mean(partial.lowest, level=LEVEL / 2)
    down = bound_mean(partial.highest.swapped(), level=LEVEL / 2)
    return Comparison(
        difference=pairs.difference,
        interval=(min(up.bound, pairs.difference), max(-down.bound, pairs.difference)),
        p_value=min(1.0, 2 * min(up.p_values[0.0], down.p_values[0.0])),
        p_greater=bound_mean(partial.lowest, level=LEVEL).p_values[0.0],
        n=pairs.n,
        wins=pairs.wins,
        losses=pairs.losses,
        ties=pairs.ties,
        missing=len(first.rows) - len(pairs.before),
    )


def _values(report: Report) -> list[float | None]:
    return [None if row.score is None else row.score.value for row in report.rows]


def _check_reports(first: Report, second: Report) -> None:
    """Check that two reports are about the same examples and metric.

    Raises:
        InputError: They are not.
    """
    if first.metric and second.metric and first.metric != second.metric:
        raise InputError(
            f"the reports are scored by {first.metric} and {second.metric}: "
            "compare programs under the same metric"
        )
    if first.score_rows is not None or second.score_rows is not None:
        raise InputError(
            f"{first.metric or second.metric} is a score of the whole data set, and no test of "
            "single rows is about it: compare reports of a metric of single rows (a compile tests "
            "whether such a score is better)"
        )
    if len(first.rows) != len(second.rows):
        raise InputError(
            f"the reports have {len(first.rows)} and {len(second.rows)} rows: "
            "compare programs on the same examples"
        )
    for before, after in zip(first.rows, second.rows, strict=True):
        if before.example != after.example:
            raise InputError(
                f"row {before.index} of the reports is not the same example: "
                "compare programs on the same examples in the same order"
            )
