"""Two programs on the same examples."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any

from langprog.errors import InputError
from langprog.evaluation.clusters import join_clusters
from langprog.evaluation.ranges import UNIT, check_range
from langprog.evaluation.report import Report
from langprog.evaluation.statistics import LEVEL, PartialScores, bound_mean
from langprog.example import refuse_train_only
from langprog.hints import Words, with_hints


@dataclass(frozen=True, slots=True)
class Comparison:
    """The second report against the first, on the rows that have a score in both.

    Rows with the same inputs form one cluster; clusters are counted and averaged. For the
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
        missing: Examples of which at least one row has no score.
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
        lost = (
            f" ({self.missing} lack a score in one or both; in one, it counts at its worst)"
            if self.missing
            else ""
        )
        return (
            f"{self.difference:+.3f} [{low:+.3f}, {high:+.3f}] on {self.n} inputs{lost}, "
            f"{self.wins} won, {self.losses} lost, p = {self.p_value:.2g}"
        )


_REPORTS = (
    "lp.compare takes two reports of lp.evaluate; for two programs write "
    "langprog.evaluation.compare_programs(program, baseline, rows, metric)"
)
# Arguments of a comparison of programs, which this is not.
_ELSEWHERE: Words = MappingProxyType(
    dict.fromkeys(
        ("baseline", "data", "devset", "examples", "metric", "program", "rows", "tolerance"),
        _REPORTS,
    )
)


@with_hints(_ELSEWHERE, by_name=_REPORTS)
def compare(
    first: Report,
    second: Report,
    *,
    clusters: Sequence[Hashable] | None = None,
    score_range: tuple[float, float] | None = None,
) -> Comparison:
    """Compare two reports, paired by example.

    Interval and p-values hold for every number of examples and every distribution of scores within
    the range; they are those of :func:`langprog.evaluation.bound_mean`.

    Args:
        first: The report to compare with.
        second: The report to be compared.
        clusters: The cluster of each row; by default, rows that one of the programs cannot tell
            apart share one.
        score_range: The lowest and the highest score that the metric can give; by default the
            range that the metric declares.

    Raises:
        InputError: The reports are not about the same examples or metric, share no scored row, or
            have scores outside the range.
    """
    _check_reports(first, second)
    bounds = _check_range(first, second, score_range)
    names: Sequence[Hashable] = (
        join_clusters(first.clusters, second.clusters)
        if clusters is None
        else _check_clusters(clusters, len(first.rows))
    )
    before, after = _values(first), _values(second)
    if not any(None not in pair for pair in zip(before, after, strict=True)):
        raise InputError("the reports share no row that has a score in both")
    partial = PartialScores.of(before, after, names, bounds)
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


def _check_range(
    first: Report, second: Report, score_range: tuple[float, float] | None
) -> tuple[float, float]:
    """Return the range of the scores.

    Raises:
        InputError: The reports have two ranges, or the given one is none.
    """
    if score_range is not None:
        return check_range(score_range)
    known = {report.score_range for report in (first, second)} - {None}
    if len(known) > 1:
        raise InputError(
            f"the scores of the reports have two ranges, {first.score_range} and "
            f"{second.score_range}: compare programs under the same metric"
        )
    return next((bounds for bounds in known if bounds is not None), UNIT)


def _check_clusters(clusters: Any, rows: int) -> list[Hashable]:
    """Return the cluster of each row.

    Raises:
        InputError: There is none for each.
    """
    if isinstance(clusters, str) or not isinstance(clusters, Iterable):
        raise InputError(f"clusters={clusters!r:.60}: give a list with the cluster of each row")
    names = list(clusters)
    if len(names) != rows:
        raise InputError(f"{len(names)} clusters for {rows} rows: give one a row")
    for name in names:
        if not isinstance(name, Hashable):
            raise InputError(f"the cluster {name!r:.60} is not hashable: name it by a text")
    return names


def _values(report: Report) -> list[float | None]:
    return [None if row.score is None else row.score.value for row in report.rows]


def _check_reports(first: Report, second: Report) -> None:
    """Check that two reports are about the same examples and metric.

    Raises:
        InputError: They are not.
    """
    for report in (first, second):
        if not isinstance(report, Report):
            raise InputError(
                "lp.compare takes two reports, as lp.evaluate returns them, not a "
                f"{type(report).__name__}; langprog.evaluation.compare_programs takes programs"
            )
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
    refuse_train_only([row.example for row in first.rows], "the reports", "rows[{}]".format)
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
