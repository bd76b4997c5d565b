"""Two programs on the same examples."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from langprog.errors import InputError
from langprog.evaluation.permutation import sign_flip_p
from langprog.evaluation.report import Report
from langprog.evaluation.statistics import mean, paired_interval


@dataclass(frozen=True, slots=True)
class Comparison:
    """The second report against the first, on the rows that both have a score for.

    Args:
        difference: Mean of second minus first.
        interval: Its 95 % interval.
        p_value: Chance of a difference this large, up or down, if there were none.
        p_greater: Chance of a gain this large if there were none (one-sided).
        n: Pairs.
        wins: Pairs where the second is better.
        losses: Pairs where the first is better.
        ties: Pairs that are equal.
        missing: Examples left out, as at least one of their rows has no score.
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
            f"{self.difference:+.3f} [{low:+.3f}, {high:+.3f}] on {self.n} pairs{left_out}, "
            f"{self.wins} won, {self.losses} lost, p = {self.p_value:.2g}"
        )


def compare(first: Report, second: Report) -> Comparison:
    """Compare two reports, paired by example.

    Args:
        first: The report to compare with.
        second: The report that is compared.

    Raises:
        InputError: The reports are not about the same examples or metric, or share no scored row.
    """
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
    pairs = []
    for one, two in zip(first.rows, second.rows, strict=True):
        if one.example != two.example:
            raise InputError(
                f"row {one.index} of the reports is not the same example: "
                "compare programs on the same examples in the same order"
            )
        if one.score is not None and two.score is not None:
            pairs.append((one.score.value, two.score.value))
    if not pairs:
        raise InputError("the reports share no row that has a score in both")
    differences = [_difference(before, after) for before, after in pairs]
    bounded = all(0.0 <= value <= 1.0 for pair in pairs for value in pair)
    return Comparison(
        difference=mean(differences),
        interval=paired_interval(differences, largest=1.0 if bounded else None),
        p_value=sign_flip_p(differences, two_sided=True),
        p_greater=sign_flip_p(differences),
        n=len(differences),
        wins=sum(value > 0 for value in differences),
        losses=sum(value < 0 for value in differences),
        ties=sum(value == 0 for value in differences),
        missing=len(first.rows) - len(pairs),
    )


def _difference(before: float, after: float) -> float:
    # Two ways to add up the same score may differ in the last digit; that is no win.
    same = math.isclose(before, after, rel_tol=1e-12, abs_tol=1e-12)
    return 0.0 if same else after - before
