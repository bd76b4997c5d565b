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
        tolerance: Mean score that may be given up, on the metric's own scale.
        accept: ``certified``: only a proven candidate ships; ``best``: what was found ships.
        attempt: Which attempt on this holdout it is, from 1.
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
        """Chance of a false claim that this attempt has."""
        return attempt_level(self.attempt)

    def fewest_clusters(self, range: Range) -> int:
        """Return on how many clusters the claims can succeed at the least."""
        if self.objective == "quality":
            return fewest_clusters("better", level=self.level)
        width = range[1] - range[0]
        share = min(self.tolerance / width, 1 - 1e-9)
        return max(
            fewest_clusters("not worse", tolerance=share, level=self.level),
            fewest_clusters("cheaper", level=self.level),
        )

    def explain_too_few(self, clusters: int, range: Range) -> str | None:
        """Return what to say where no result on so few clusters could be certified."""
        fewest = self.fewest_clusters(range)
        if clusters >= fewest:
            return None
        if self.objective == "quality":
            return (
                f"only {clusters} holdout examples with inputs of their own can be used: even if "
                "the compiled program won every one, that could not be told from luck (at least "
                f"{fewest} are needed, 30 or more to see an ordinary gain); give more examples, "
                "or a larger budget"
            )
        return (
            f"only {clusters} holdout examples with inputs of their own can be used: even without "
            f"any loss on them, that could not be told from luck (at least {fewest} are needed "
            f"to show that no more than {self.tolerance:g} is lost); give more examples, a larger "
            "budget or a larger tolerance"
        )
