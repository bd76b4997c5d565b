"""The decision of a port: is the program on the new model not worse than on the old one?"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Literal

from langprog.evaluation import Claims, PartialScores, Range, check_claims, fewest_clusters

Outcome = Literal["safe", "mended", "worse", "cannot tell"]

# The chance that a port calls a program safe or mended although it loses more than the tolerance
# is 5 % in all: 4 % for the program as it is, 1 % for the one that is compiled if that fails. A
# port that may not compile has one test.
LEVEL, FIRST, SECOND = 0.05, 0.04, 0.01


@dataclass(frozen=True, slots=True)
class Decision:
    """The result of one test.

    Args:
        claims: What was tested: ``not worse`` first.
        tolerance: Mean score that may be lost.
        level: Chance of a false ``not worse``.
        missing: Rows without a score of one of the two; they count at their worst.
    """

    claims: Claims
    tolerance: float
    level: float
    missing: int = 0

    @property
    def holds(self) -> bool:
        """Whether it was shown that no more than the tolerance is lost."""
        return self.claims.primary.holds

    @property
    def outcome(self) -> Outcome:
        """``safe``, ``worse`` or ``cannot tell``."""
        if self.holds:
            return "safe"
        return "worse" if self.claims.finding == "worse" else "cannot tell"

    @property
    def loss(self) -> float:
        """The largest loss that the test does not exclude."""
        return max(0.0, -self.claims.low)

    def __str__(self) -> str:
        claims = self.claims
        lost = f", {self.missing} without a score count at their worst" if self.missing else ""
        shown = "shown" if self.holds else "not shown"
        return (
            f"difference {claims.difference:+.3f} [{claims.low:+.3f}, {claims.high:+.3f}] on "
            f"{claims.n} different inputs: {claims.wins} better, {claims.losses} worse, "
            f"{claims.ties} the same{lost}; not worse by more than {self.tolerance:g}: {shown} "
            f"(p = {claims.primary.p_value:.2g}, level {self.level:g})"
        )


def decide(
    before: Sequence[float | None],
    after: Sequence[float | None],
    clusters: Sequence[Hashable],
    score_range: Range,
    *,
    tolerance: float,
    level: float = LEVEL,
) -> Decision:
    """Test whether a program lost no more than a tolerance.

    It is the test of :func:`langprog.evaluation.compare_programs` and of a certificate: valid for
    every number of rows and every metric with a range. A row with a score of only one program
    counts at its worst.

    Args:
        before: Scores on the old model.
        after: Scores on the new one, of the same rows.
        clusters: What each row belongs to.
        score_range: The lowest and the highest score of the metric.
        tolerance: Mean score that may be lost.
        level: Chance of a false ``not worse``.

    Raises:
        InputError: No row has both scores, or the tolerance does not fit the range.
    """
    scores = PartialScores.of(before, after, clusters, score_range)
    claims = check_claims(scores, objective="cost", tolerance=tolerance, level=level)
    missing = sum(b is None or a is None for b, a in zip(before, after, strict=True))
    return Decision(claims, tolerance, level, missing)


def count_fewest(tolerance: float, score_range: Range, level: float) -> int:
    """Return the fewest different inputs on which a test can succeed."""
    share = tolerance / (score_range[1] - score_range[0])
    return fewest_clusters("not worse", tolerance=share, level=level)
