"""The chance that an answer is wrong for another input, given how similar the inputs are."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[Any]

# Similarities at which half of the answers are right. Above 1 lies an answer that is never right.
_MIDDLES = np.linspace(0.0, 1.5, 61)
# How fast the odds rise with the similarity.
_SLOPES = np.array([4.0, 8.0, 12.0, 18.0, 27.0, 40.0, 60.0])
# The prior is learned from all answers at this number of comparisons (before, nothing is reused),
# and again whenever their number has grown by a quarter.
FEWEST, GROWTH = 100, 1.25
# Answers without any preference, which count in the prior beside the others.
_FLAT = 10.0
_ROUNDS = 20


class LogisticGrid:
    """Logistic models of "is this answer right?" against similarity, one for each answer.

    Follows: vCache (Schroeder et al., 2025, arXiv 2502.03771): a model for each stored answer,
    fitted online to its comparisons alone, whose uncertainty counts. Differs: where vCache takes
    a confidence bound of the fitted parameters, the chance of being wrong is averaged here over
    all parameters, weighed by their posterior on a grid. Their prior is learned from all answers
    of a scope (empirical Bayes), as a single answer has few comparisons.

    The chance is right if correctness is logistic in the similarity, and the answers' parameters
    are like draws from one distribution.
    """

    def __init__(self) -> None:
        self._middles = np.repeat(_MIDDLES, len(_SLOPES))
        self._slopes = np.tile(_SLOPES, len(_MIDDLES))
        self._prior = np.full(self.size, -np.log(self.size))
        self._learned_at = 0

    @property
    def size(self) -> int:
        """Number of parameters on the grid."""
        return len(self._middles)

    def log_likelihood(self, similarity: float, right: bool) -> Vector:
        """Return the log-likelihood of one comparison under each parameter."""
        logits = self._slopes * (similarity - self._middles)
        result: Vector = -np.logaddexp(0.0, -logits if right else logits)
        return result

    def chance_wrong(self, similarity: float, likelihood: Vector | None) -> float:
        """Return the chance that an answer is wrong.

        Args:
            similarity: Of the input to that of the answer.
            likelihood: Sum of the answer's log-likelihoods; ``None`` without comparisons.
        """
        posterior = self._prior if likelihood is None else self._prior + likelihood
        weights = np.exp(posterior - posterior.max())
        wrong = 1.0 / (1.0 + np.exp(self._slopes * (similarity - self._middles)))
        return float(weights @ wrong / weights.sum())

    def learn(self, likelihoods: Iterable[Vector], comparisons: int) -> None:
        """Learn the prior from all answers, if there is enough that is new.

        Args:
            likelihoods: Of every answer with comparisons.
            comparisons: Their number.
        """
        if comparisons < max(FEWEST, GROWTH * self._learned_at):
            return
        self._learned_at = comparisons
        logs = np.array(list(likelihoods))
        each = np.exp(logs - logs.max(axis=1, keepdims=True))
        prior = np.exp(self._prior)
        for _ in range(_ROUNDS):
            share = each * prior
            share /= share.sum(axis=1, keepdims=True)
            prior = (share.sum(axis=0) + _FLAT / self.size) / (len(logs) + _FLAT)
        self._prior = np.log(prior)

    @property
    def knows_scope(self) -> bool:
        """Whether the prior was learned, so that answers can be judged."""
        return self._learned_at > 0
