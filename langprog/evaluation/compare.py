"""Two programs on the same examples."""

from __future__ import annotations

from dataclasses import dataclass

from langprog.errors import InputError
from langprog.evaluation.report import Report
from langprog.evaluation.statistics import mean, paired_interval, sign_flip_p


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
    """

    difference: float
    interval: tuple[float, float]
    p_value: float
    p_greater: float
    n: int
    wins: int
    losses: int
    ties: int

    def __str__(self) -> str:
        low, high = self.interval
        return (
            f"{self.difference:+.3f} [{low:+.3f}, {high:+.3f}] on {self.n} pairs, "
            f"{self.wins} won, {self.losses} lost, p = {self.p_value:.2g}"
        )


def compare(first: Report, second: Report) -> Comparison:
    """Compare two reports, paired by example.

    Args:
        first: The report to compare with.
        second: The report that is compared.

    Raises:
        InputError: The reports are not about the same examples, or share no scored row.
    """
    if len(first.rows) != len(second.rows):
        raise InputError(
            f"the reports have {len(first.rows)} and {len(second.rows)} rows: "
            "compare programs on the same examples"
        )
    differences = []
    for one, two in zip(first.rows, second.rows, strict=True):
        if one.example != two.example:
            raise InputError(
                f"row {one.index} of the reports is not the same example: "
                "compare programs on the same examples in the same order"
            )
        if one.score is not None and two.score is not None:
            differences.append(two.score.value - one.score.value)
    if not differences:
        raise InputError("the reports share no row that has a score in both")
    return Comparison(
        difference=mean(differences),
        interval=paired_interval(differences),
        p_value=sign_flip_p(differences, two_sided=True),
        p_greater=sign_flip_p(differences),
        n=len(differences),
        wins=sum(value > 0 for value in differences),
        losses=sum(value < 0 for value in differences),
        ties=sum(value == 0 for value in differences),
    )
