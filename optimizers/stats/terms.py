"""What a certificate has to show, fixed before the holdout is run."""

from __future__ import annotations

from dataclasses import dataclass

from langprog.evaluation import Objective, Range, attempt_level, fewest_clusters
from optimizers.stats.certificate import Accept


@dataclass(frozen=True, slots=True)
class Terms:
    """What a certificate has to show, fixed before the holdout is run.

    Args:
        objective: ``quality``: better; ``cost`` or ``latency``: not worse by more than
            ``tolerance``, then cheaper or quicker.
        tolerance: Loss in mean score that is accepted, on the metric's own scale.
        accept: ``certified``: only a proven candidate ships; ``best``: the best one ships.
        attempt: Number of this attempt on the holdout, from 1.
        repeats: Runs of each example.
        seed: The seeds of repeated runs derive from it.
    """

    objective: Objective = "quality"
    tolerance: float = 0.0
    accept: Accept = "certified"
    attempt: int = 1
    repeats: int = 1
    seed: int = 0

    @property
    def level(self) -> float:
        """Allowed probability of a false claim in this attempt."""
        return attempt_level(self.attempt)

    def fewest_clusters(self, range: Range) -> int:
        """Return the smallest number of clusters with which the claims can succeed."""
        if self.objective == "quality":
            return fewest_clusters("better", level=self.level)
        width = range[1] - range[0]
        share = min(self.tolerance / width, 1 - 1e-9)
        return max(
            fewest_clusters("not worse", tolerance=share, level=self.level),
            fewest_clusters("cheaper", level=self.level),
        )

    def explain_too_few(self, clusters: int, range: Range) -> str | None:
        """Return a message if too few clusters make certification impossible, else ``None``."""
        fewest = self.fewest_clusters(range)
        if clusters >= fewest:
            return None
        if self.objective == "quality":
            return (
                f"only {clusters} holdout examples with distinct inputs can be used: even if the "
                f"compiled program won on all of them, it could be luck (at least {fewest} are "
                "needed, 30 or more to detect an ordinary gain); give more examples, or a larger "
                "budget"
            )
        return (
            f"only {clusters} holdout examples with distinct inputs can be used: even without any "
            f"loss on them, it could be luck (at least {fewest} are needed to show a loss of no "
            f"more than {self.tolerance:g}); give more examples, a larger budget or a larger "
            "tolerance"
        )
