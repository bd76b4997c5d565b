"""Scores of two programs of which some are missing: what the missing ones could change at most."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from langprog.errors import InputError
from langprog.evaluation.statistics.pairs import PairedScores

# With a larger share of scores missing, the rest is not a fair sample of the examples.
MAX_MISSING = 0.1


@dataclass(frozen=True)
class PartialScores:
    """Paired scores, with the extremes that missing scores leave possible.

    A row that only one program has a score for is not missing at random: a metric that raises on
    what one program writes loses just the rows that this program gets wrong. Such a row is kept,
    with the missing score at either end of the range. A row without any score says nothing about
    the difference and is left out.

    Args:
        observed: Rows with both scores.
        lowest: The same and rows with one score, the missing one at its worst for the second
            program.
        highest: The same at its best for the second program.
        kept: Places of the rows of ``lowest`` and ``highest``.
    """

    observed: PairedScores
    lowest: PairedScores
    highest: PairedScores
    kept: tuple[int, ...]

    @classmethod
    def of(
        cls,
        before: Sequence[float | None],
        after: Sequence[float | None],
        clusters: Sequence[Hashable] | None = None,
        score_range: tuple[float, float] = (0.0, 1.0),
    ) -> PartialScores:
        """Pair scores of which some are ``None``.

        Args:
            before: The first program's score of every row.
            after: The second program's.
            clusters: The cluster of each row; ``None``: every row is its own.
            score_range: The lowest and the highest score that the metric can give.

        Raises:
            InputError: No row has both scores, the lengths differ, or a score is outside the
                range.
        """
        names: Sequence[Hashable] = range(len(before)) if clusters is None else clusters
        if not len(before) == len(after) == len(names):
            raise InputError(
                f"{len(before)} values before, {len(after)} after and {len(names)} clusters: "
                "give one of each for every row"
            )
        rows = list(zip(before, after, names, strict=True))
        low, high = score_range
        observed = [(b, a, name) for b, a, name in rows if b is not None and a is not None]
        if not observed:
            raise InputError("no row has a score for both programs")
        kept = [place for place, (b, a, _) in enumerate(rows) if not (b is None and a is None)]

        def fill(missing_before: float, missing_after: float) -> PairedScores:
            filled = [rows[place] for place in kept]
            return _pair(
                [
                    (missing_before if b is None else b, missing_after if a is None else a, name)
                    for b, a, name in filled
                ],
                score_range,
            )

        return cls(_pair(observed, score_range), fill(high, low), fill(low, high), tuple(kept))

    @classmethod
    def complete(cls, scores: PairedScores) -> PartialScores:
        """Return scores of which none is missing."""
        return cls(scores, scores, scores, tuple(range(len(scores.before))))

    @property
    def one_sided(self) -> int:
        """Number of rows with a score for only one of the programs."""
        return len(self.kept) - len(self.observed.before)


def _pair(
    rows: Sequence[tuple[float, float, Hashable]], score_range: tuple[float, float]
) -> PairedScores:
    before, after, clusters = zip(*rows, strict=True)
    return PairedScores(before, after, clusters, score_range)
