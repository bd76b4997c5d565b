"""Programs that nothing else beats: quality against dollars and latency.

What a user wants is decided here, after every search in the same way: the best quality, or the
cheapest or quickest program whose quality is close enough.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from langprog import Module
from langprog.artifact import save_program
from langprog.lm import Cost
from langprog.notebook import shorten
from optimizers.evaluation.candidate import Candidate
from optimizers.evaluation.scorer import Estimate, Scorer

Objective = Literal["quality", "cost", "latency"]
OBJECTIVES: tuple[Objective, ...] = ("quality", "cost", "latency")


@dataclass(frozen=True, slots=True)
class FrontPoint:
    """A program that no other one beats in quality, price and latency at once.

    Args:
        candidate: What it changes of the input program.
        program: The program, frozen.
        quality: Mean score on validation.
        cost: What a query takes.
        latency: Seconds that half of the queries take at most, and that 95 % do.
        optimizer: The name of the optimizer that it comes from.
    """

    candidate: Candidate
    program: Module
    quality: Estimate
    cost: Cost
    latency: tuple[float, float]
    optimizer: str = ""

    @property
    def dollars_a_thousand(self) -> float:
        """Dollars of 1,000 queries; 0 where no price is known."""
        return 1000 * self.cost.dollars

    def save(self, path: str | os.PathLike[str]) -> str:
        """Write it as an artifact without a certificate; returns the digest.

        Raises:
            ArtifactError: The program cannot be written, or does not come back the same.
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

    def beats(self, other: FrontPoint) -> bool:
        """Return whether it is no worse in anything, and better in something."""
        ours = (-self.quality.mean, self.cost.dollars, self.cost.tokens, self.latency[0])
        theirs = (-other.quality.mean, other.cost.dollars, other.cost.tokens, other.latency[0])
        return ours != theirs and all(a <= b for a, b in zip(ours, theirs, strict=True))


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
        if scorer.complete(candidate)
    ]


def pareto_front(points: Sequence[FrontPoint]) -> list[FrontPoint]:
    """Return the points that no other one beats, the best quality first."""
    edge = [one for one in points if not any(other.beats(one) for other in points)]
    return sorted(edge, key=lambda one: (-one.quality.mean, one.cost.dollars))


def chosen(
    objective: Objective, best: Candidate, points: Sequence[FrontPoint], tolerance: float
) -> Candidate:
    """Return what an objective asks for.

    Args:
        objective: What counts.
        best: The candidate with the best quality.
        points: Every candidate that was scored on all of validation.
        tolerance: Quality that may be given up for ``cost`` or ``latency``.
    """
    if objective == "quality":
        return best
    found = [one for one in points if one.candidate == best]
    if not found:
        return best
    floor = found[0].quality.mean - tolerance
    close = [one for one in points if one.quality.mean >= floor]
    if objective == "cost":
        return min(close, key=lambda one: (one.cost.dollars, one.cost.tokens)).candidate
    return min(close, key=lambda one: one.latency[0]).candidate
