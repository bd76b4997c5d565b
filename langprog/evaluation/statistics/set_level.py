"""Metrics of a whole data set, such as macro F1: is one program better than the other?"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from langprog.errors import InputError
from langprog.evaluation.statistics.intervals import quantile
from langprog.evaluation.statistics.mean_difference import LEVEL, check_level

T = TypeVar("T")
DRAWS = 2000


@dataclass(frozen=True, slots=True)
class SetComparison:
    """Two programs under a metric of the whole data set.

    Args:
        before: The first program's score.
        after: The second program's.
        p_better: P-value of the hypothesis that outputs of both are exchangeable, against a
            better second program.
        p_worse: The same against a worse one.
        interval: Two-sided interval of the difference; approximate and not a bound: it is not
            derived from the test, and nothing about "not worse" follows from it.
        n: Clusters.
        approximate: Always true: the interval's coverage holds only for large samples.
    """

    before: float
    after: float
    p_better: float
    p_worse: float
    interval: tuple[float, float]
    n: int
    approximate: bool = True

    @property
    def difference(self) -> float:
        """After minus before."""
        return self.after - self.before


def compare_sets(
    metric: Callable[[Sequence[T]], float],
    before: Sequence[T],
    after: Sequence[T],
    *,
    clusters: Sequence[Hashable] | None = None,
    level: float = LEVEL,
    draws: int = DRAWS,
    seed: int = 0,
) -> SetComparison:
    """Compare two programs under a metric that is not a mean over rows.

    The test is exact for the hypothesis that it makes no difference which program a row's output
    comes from. That is more than "equally good": it does not allow for two programs that reach the
    same score in different ways, so it supports "better" and nothing about a tolerance.

    Follows: the paired randomisation test (Noreen, 1989, Computer-Intensive Methods for Testing
    Hypotheses) with the data counted as one more draw, and the percentile bootstrap (Efron, 1979).
    Differs: whole clusters are exchanged and drawn.

    Args:
        metric: Gives the score of a data set, higher is better. It gets ``before`` or ``after``,
            or a mixture of both, or a sample with replacement.
        before: What the first program made of every row, with what the metric needs to judge it: a
            pair of truth and prediction, say.
        after: The same of the second program.
        clusters: What each row belongs to; ``None``: every row is its own cluster.
        level: 1 minus the level of confidence of the interval.
        draws: Random draws, for the test and the interval each.
        seed: Their seed.

    Raises:
        InputError: There is no row, the lengths differ, or the metric is not finite.
    """
    check_level(level)
    rows = len(before)
    names: Sequence[Hashable] = range(rows) if clusters is None else clusters
    if not rows or len(after) != rows or len(names) != rows:
        raise InputError("give the same number of rows, at least one, before, after and clusters")
    members: dict[Hashable, list[int]] = {}
    for row, name in enumerate(names):
        members.setdefault(name, []).append(row)
    groups = list(members.values())
    source = random.Random(seed)

    def gain(first: Sequence[T], second: Sequence[T]) -> float:
        difference = metric(second) - metric(first)
        if not math.isfinite(difference):
            raise InputError("the metric of the data set must give finite numbers")
        return difference

    observed = gain(before, after)
    flipped = [_exchange(gain, before, after, groups, source) for _ in range(draws)]
    drawn = [_resample(gain, before, after, groups, source) for _ in range(draws)]
    slack = 1e-12 * max(1.0, abs(observed))
    return SetComparison(
        before=metric(before),
        after=metric(after),
        p_better=(1 + sum(value >= observed - slack for value in flipped)) / (draws + 1),
        p_worse=(1 + sum(value <= observed + slack for value in flipped)) / (draws + 1),
        interval=(quantile(drawn, level / 2), quantile(drawn, 1 - level / 2)),
        n=len(groups),
    )


def _exchange(
    gain: Callable[[Sequence[T], Sequence[T]], float],
    before: Sequence[T],
    after: Sequence[T],
    groups: Sequence[Sequence[int]],
    source: random.Random,
) -> float:
    first, second = list(before), list(after)
    for rows in groups:
        if source.random() < 0.5:
            for row in rows:
                first[row], second[row] = second[row], first[row]
    return gain(first, second)


def _resample(
    gain: Callable[[Sequence[T], Sequence[T]], float],
    before: Sequence[T],
    after: Sequence[T],
    groups: Sequence[Sequence[int]],
    source: random.Random,
) -> float:
    rows = [row for group in source.choices(groups, k=len(groups)) for row in group]
    return gain([before[row] for row in rows], [after[row] for row in rows])
