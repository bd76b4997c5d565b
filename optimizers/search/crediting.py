"""Credit every part of the candidates so far with what it adds to the score.

Follows: main-effects analysis of factorial experiments (Box, Hunter and Hunter, 1978), as Bayesian
linear regression, so that every score of every candidate says something about each of its parts.
Differs: the parts of an instruction are its clauses; each validation example has an effect of its
own (its difficulty), so that candidates need not have met the same ones; and so has each
candidate, for what its parts do not explain.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from optimizers.evaluation.candidate import Candidate, parameter_to_json
from optimizers.models.tradeoffs import Floats
from optimizers.run import Run

# Standard deviations expected beforehand, on a scale where scores are 0 to 1: of the effects of
# parts, of what sets of demonstrations have in common, of examples, of what a candidate has beyond
# its parts, and of a single score.
PART, SHARED, EXAMPLE, CANDIDATE, NOISE = 0.07, 0.12, 0.35, 0.03, 0.35
# What sets have in common: that there are any, and how many. All scores of other sets say
# something about a set that met few examples.
SHOWN, COUNT = "any", "how many"
# What instructions have in common that are not the program's own: a weak model proposes nonsense,
# whatever the words. No clause has an apostrophe.
FOREIGN = "not the program's own"
# The number of demonstrations whose effect SHARED is about.
MANY = 16

# A parameter and its value, or one of its clauses; of a whole candidate, "" and its digest.
Feature = tuple[str, str]


def name_value(value: Any) -> str:
    """Return a text that is the same for equal values of a parameter."""
    return json.dumps(parameter_to_json(value), sort_keys=True)


def describe_demos(key: str, value: Sequence[Any]) -> dict[Feature, float]:
    """Return the features of a set of demonstrations, with their weights."""
    features = {(key, name_value(value)): 1.0}
    if value:
        features |= {(key, SHOWN): 1.0, (key, COUNT): min(1.0, len(value) / MANY)}
    return features


@dataclass(frozen=True)
class Credits:
    """What parts add to the mean score, on a scale where scores are 0 to 1.

    Args:
        places: Number of each part.
        means: Estimates, shrunk toward 0.
        covariance: Of their errors.
    """

    places: Mapping[Feature, int]
    means: Floats
    covariance: Floats

    @cached_property
    def _factor(self) -> Floats:
        jitter = 1e-12 * np.eye(len(self.means))
        return np.asarray(np.linalg.cholesky(self.covariance + jitter), dtype=np.float64)

    def draw(self, seed: int) -> Credits:
        """Return credits whose estimates are drawn from what is known of the effects."""
        noise = np.random.default_rng(seed).standard_normal(len(self.means))
        drawn = self.means + self._factor @ noise
        # Rounded, so that the last bits of a matrix product decide nothing.
        return Credits(self.places, drawn.round(9), self.covariance)

    def __contains__(self, part: Feature) -> bool:
        return part in self.places

    def mean(self, part: Feature) -> float:
        """Return the estimate of an effect; 0 for an unknown part."""
        return float(self.means[self.places[part]]) if part in self.places else 0.0

    def sum(self, parts: Mapping[Feature, float]) -> float:
        """Return the estimate of some effects together, by their weights."""
        return sum(weight * self.mean(part) for part, weight in parts.items())

    def error(self, weights: Mapping[Feature, float]) -> float:
        """Return the standard error of the sum of some effects, by their weights."""
        vector = np.zeros(len(self.means))
        for part, weight in weights.items():
            if part in self.places:
                vector[self.places[part]] = weight
        return float(np.sqrt(max(0.0, float(vector @ self.covariance @ vector))))


def credit_parts(
    run: Run, candidates: Sequence[Candidate], parts: Sequence[Mapping[Feature, float]]
) -> Credits:
    """Fit the effects of all parts, and of all candidates, to all scores.

    Args:
        run: The search; all scores that it remembers count.
        candidates: Candidates with scores.
        parts: The parts of each, with their weights.
    """
    places: dict[Feature, int] = {}
    columns = [
        {places.setdefault(part, len(places)): weight for part, weight in weights.items()}
        for weights in (
            {**some, ("", each.digest): 1.0} for each, some in zip(candidates, parts, strict=True)
        )
    ]
    design = np.zeros((len(candidates), len(places)))
    for row, weights in zip(design, columns, strict=True):
        row[list(weights)] = list(weights.values())
    prior = np.array([_expect(part) for part in places])
    low, high = run.materials.metric.range
    scores = [run.scorer.values(each) for each in candidates]
    examples = sorted({index for values in scores for index in values})
    known = np.array([[float(index in values) for index in examples] for values in scores])
    score = np.array([[values.get(index, low) for index in examples] for values in scores])
    score = (score - low) / (high - low)
    score = (score - (score * known).sum() / known.sum()) * known
    noise = NOISE**2
    *_, residuals = _fit(design, known, score, noise / prior**2, noise)
    noise = max(1e-4, float((residuals**2).sum() / known.sum()))
    means, covariance, _ = _fit(design, known, score, noise / prior**2, noise)
    return Credits(places, means.round(9), covariance)


def _expect(part: Feature) -> float:
    key, name = part
    return CANDIDATE if not key else SHARED if name in (SHOWN, COUNT, FOREIGN) else PART


def _fit(
    design: Floats, known: Floats, score: Floats, ridge: Floats, noise: float
) -> tuple[Floats, Floats, Floats]:
    """Return effects, the covariance of their errors, and residuals.

    The effects of examples are eliminated, so that the matrix has only the parts' size.
    """
    weight = 1.0 / (known.sum(axis=0) + noise / EXAMPLE**2)
    shared = design.T @ known
    matrix = design.T @ (design * known.sum(axis=1)[:, None]) - (shared * weight) @ shared.T
    inverse = np.linalg.inv(matrix + np.diag(ridge))
    means = inverse @ (design.T @ score.sum(axis=1) - shared @ (weight * score.sum(axis=0)))
    fitted = (design @ means)[:, None]
    examples = weight * (score - fitted * known).sum(axis=0)
    return means, (inverse + inverse.T) * (noise / 2), (score - fitted - examples) * known
