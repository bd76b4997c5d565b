"""Claims about a score of the whole data set, such as macro F1."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from langprog.evaluation import Claim, Claims, DatasetMetric, Finding, compare_sets
from optimizers.evaluation.scorer import Estimate
from optimizers.stats.certificate import Pairs

WORSE_LEVEL = 0.05


def check_dataset(
    metric: DatasetMetric,
    pairs: Pairs,
    clusters: Sequence[str],
    rows: Claims,
    level: float,
) -> tuple[Claims, tuple[Estimate, Estimate]]:
    """Test whether the data set's score is better, by exchanging the outputs of both programs.

    Args:
        metric: The metric.
        pairs: Rows before and after.
        clusters: What each pair belongs to.
        rows: What the rows' own scores say; wins and losses are theirs.
        level: Chance of a false ``better``.

    Returns:
        The claims, and both scores with approximate intervals.
    """
    before = metric.read_rows([first.outcome for first, _ in pairs])
    after = metric.read_rows([second.outcome for _, second in pairs])
    # Of twice the level, so that the lower end alone is a bound at the level.
    result = compare_sets(metric.score_read, before, after, clusters=clusters, level=2 * level)
    low, high = result.interval
    better = Claim("better", result.p_better <= level, result.p_better, low, 0.0, level)
    worse = Claim("worse", result.p_worse <= WORSE_LEVEL, result.p_worse, high, 0.0, WORSE_LEVEL)
    finding: Finding = "better" if better.holds else "worse" if worse.holds else "cannot tell"
    claims = replace(
        rows,
        finding=finding,
        tested=(better, worse),
        difference=result.difference,
        low=low,
        high=high,
    )
    return claims, (_estimate(metric, before, clusters), _estimate(metric, after, clusters))


def _estimate(metric: DatasetMetric, rows: Sequence[Any], clusters: Sequence[str]) -> Estimate:
    def score(values: Sequence[tuple[Any] | None]) -> float:
        # A difference to nothing has the interval of the score itself.
        known = [value[0] for value in values if value is not None]
        return metric.score_read(known) if known else 0.0

    result = compare_sets(score, [None] * len(rows), [(row,) for row in rows], clusters=clusters)
    low, high = result.interval
    return Estimate(result.after, low, high, result.n)
