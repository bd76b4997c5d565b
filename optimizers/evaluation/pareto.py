"""The Pareto front of quality, dollars and latency, and choosing a candidate by the objective.

Every search chooses in the same way: the best quality, or the cheapest or fastest program whose
quality is close enough.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from langprog import Module
from langprog.artifact import save_program
from langprog.lm import Cost
from langprog.notebook import shorten
from optimizers.evaluation.candidate import Candidate
from optimizers.evaluation.scorer import Estimate, Scorer

Objective = Literal["quality", "cost", "latency"]
OBJECTIVES: tuple[Objective, ...] = ("quality", "cost", "latency")


T = TypeVar("T")
Losses = tuple[float, ...]


def dominates(losses: Losses, others: Losses) -> bool:
    """Return whether ``losses`` are nowhere worse than ``others``, and differ from them."""
    return losses != others and all(a <= b for a, b in zip(losses, others, strict=True))


def find_front(items: Sequence[T], losses: Callable[[T], Losses]) -> list[T]:
    """Return the items that no other dominates, in their order; equal items all stay.

    Args:
        items: The items to choose from.
        losses: Returns the values of an item to minimize.
    """
    known = [losses(item) for item in items]
    front: list[int] = []
    # In order of increasing losses, no item dominates one before it.
    for place in sorted(range(len(items)), key=known.__getitem__):
        if not any(dominates(known[other], known[place]) for other in front):
            front.append(place)
    return [items[place] for place in sorted(front)]


@dataclass(frozen=True, slots=True)
class FrontPoint:
    """A program on the front: no other is better in quality, price and latency at once.

    Args:
        candidate: What it changes in the input program.
        program: The program, frozen.
        quality: Mean score on validation.
        cost: Mean cost of a query.
        latency: Median and 95th percentile of a query's latency, in seconds.
        optimizer: Name of the optimizer that produced it.
    """

    candidate: Candidate
    program: Module
    quality: Estimate
    cost: Cost
    latency: tuple[float, float]
    optimizer: str = ""

    @property
    def dollars_a_thousand(self) -> float:
        """Dollars per 1,000 queries; 0 if no price is known."""
        return 1000 * self.cost.dollars

    def save(self, path: str | os.PathLike[str]) -> str:
        """Write the program as an artifact without a certificate, and return its digest.

        Raises:
            ArtifactError: The program cannot be written, or loads differently.
        """
        evidence = {"certificate": None, "front": self.to_json()}
        return save_program(self.program, path, evidence=evidence, optimizer=self.optimizer)

    def to_json(self) -> dict[str, Any]:
        """Return a JSON object."""
        half, most = self.latency
        return {
            "digest": self.candidate.digest,
            "label": self.candidate.label,
            "quality": self.quality.to_json(),
            "dollars_a_thousand": self.dollars_a_thousand,
            "latency": {"p50": half, "p95": most},
        }

    def __repr__(self) -> str:
        return (
            f"FrontPoint({shorten(self.candidate.label, 200)!r}, quality={self.quality}, "
            f"${self.dollars_a_thousand:.4f} per 1,000 queries, {self.latency[0]:.2f} s)"
        )

    @property
    def losses(self) -> Losses:
        """Values to minimize: the negative score, dollars, tokens and the median latency."""
        return (-self.quality.mean, self.cost.dollars, self.cost.tokens, self.latency[0])

    def beats(self, other: FrontPoint) -> bool:
        """Return whether this point is nowhere worse than ``other`` and somewhere better."""
        return dominates(self.losses, other.losses)


def collect_points(scorer: Scorer, base: Module) -> list[FrontPoint]:
    """Return every candidate that was scored on all of validation, in the order of scoring."""
    return [
        FrontPoint(
            candidate,
            candidate.apply(base),
            scorer.estimate(candidate),
            scorer.cost(candidate),
            scorer.latency(candidate),
        )
        for candidate in scorer.candidates
        if scorer.is_complete(candidate)
    ]


def pareto_front(points: Sequence[FrontPoint]) -> list[FrontPoint]:
    """Return the points that no other beats, the best quality first."""
    front = find_front(points, lambda point: point.losses)
    return sorted(front, key=lambda point: (-point.quality.mean, point.cost.dollars))


def choose(
    objective: Objective, best: Candidate, points: Sequence[FrontPoint], tolerance: float
) -> Candidate:
    """Return the best candidate by an objective.

    Args:
        objective: What to optimize.
        best: The candidate with the best quality.
        points: Every candidate that was scored on all of validation.
        tolerance: Loss in quality that is accepted for ``cost`` or ``latency``.
    """
    if objective == "quality":
        return best
    means = [point.quality.mean for point in points if point.candidate == best]
    if not means:
        return best
    close = [point for point in points if point.quality.mean >= means[0] - tolerance]
    if objective == "cost":
        return min(close, key=lambda point: (point.cost.dollars, point.cost.tokens)).candidate
    return min(close, key=lambda point: point.latency[0]).candidate
