"""Learn, for every step of a cascade, the chance that its answer is right."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from langprog.errors import InputError
from langprog.modules import Rule, hash_words

# Examples below which no regularization is searched for: the folds would be too small.
FEWEST_FOR_FOLDS = 40
STRENGTHS = (0.01, 0.1, 1.0, 10.0)
FOLDS = 4


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer that a rule learns from.

    Args:
        values: Inputs and outputs by name.
        tokens: What its log-probabilities say (``langprog.modules.token_features``); empty where
            they are not looked at.
        score: How right it was, 0 to 1.
    """

    values: Mapping[str, Any]
    tokens: Sequence[float]
    score: float


def fitted_rule(answers: Sequence[Answered], buckets: int) -> Rule:
    """Return the logistic rule that fits answers best.

    Follows: FrugalGPT's scorer (Chen et al., 2023) and the post-hoc rule over quantiles of token
    log-probabilities of Language Model Cascades (Gupta et al., 2024). Differs: ridge-regularized
    logistic regression, its strength by cross-validation, kept as plain numbers.

    Args:
        answers: What to learn from; a graded score counts as right from 1/2 on.
        buckets: Places that words are hashed to; 0: it does not look at words.

    Raises:
        InputError: scikit-learn is missing.
    """
    wanted = np.array([int(one.score >= 0.5) for one in answers])
    right, few = int(wanted.sum()), int(min(wanted.sum(), len(wanted) - wanted.sum()))
    if not few:
        return Rule(_odds((right + 1) / (len(answers) + 2)))
    linear, selection = _sklearn()
    features, scale, middle = _features(answers, buckets)
    strength = STRENGTHS[1]
    if len(answers) >= FEWEST_FOR_FOLDS and few >= FOLDS:
        fits = [
            selection.cross_val_score(
                linear.LogisticRegression(C=one, max_iter=2000),
                features,
                wanted,
                cv=FOLDS,
                scoring="neg_log_loss",
            ).mean()
            for one in STRENGTHS
        ]
        strength = STRENGTHS[int(np.argmax(fits))]
    model = linear.LogisticRegression(C=strength, max_iter=2000).fit(features, wanted)
    slopes = model.coef_[0] / scale
    count = len(answers[0].tokens)
    words = tuple((at, float(one)) for at, one in enumerate(slopes[count:]) if abs(one) > 1e-6)
    intercept = float(model.intercept_[0] - slopes @ middle)
    return Rule(intercept, tuple(map(float, slopes[:count])), words)


def _features(
    answers: Sequence[Answered], buckets: int
) -> tuple[npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[Any]]:
    """Return scaled features, and how they were scaled; words stay as they are."""
    tokens = np.array([list(one.tokens) for one in answers], dtype=float)
    words = np.zeros((len(answers), buckets))
    for row, one in enumerate(answers):
        for place, weight in (hash_words(one.values, buckets) if buckets else {}).items():
            words[row, place] = weight
    spread = tokens.std(axis=0)
    scale = np.concatenate([np.where(spread > 1e-9, spread, 1.0), np.ones(buckets)])
    middle = np.concatenate([tokens.mean(axis=0), np.zeros(buckets)])
    return (np.hstack([tokens, words]) - middle) / scale, scale, middle


def _sklearn() -> tuple[Any, Any]:
    try:
        from sklearn import linear_model, model_selection  # noqa: PLC0415 - an extra
    except ImportError:
        raise InputError(
            'a learned signal needs scikit-learn: pip install "langprog[learn]"'
        ) from None
    return linear_model, model_selection


def _odds(chance: float) -> float:
    return math.log(chance / (1 - chance))
