"""Learn the chance that the answer of a cascade's step is right."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from langprog.errors import InputError
from langprog.modules import Rule, hash_words

# With fewer examples the folds would be too small to choose the regularization.
FEWEST_FOR_FOLDS = 40
STRENGTHS = (0.01, 0.1, 1.0, 10.0)
FOLDS = 4


@dataclass(frozen=True, slots=True)
class LabeledAnswer:
    """An answer with its score, for learning a rule.

    Args:
        values: Inputs and outputs by name.
        tokens: Features of its log-probabilities (``langprog.modules.token_features``); empty
            where they are not used.
        score: Its score, 0 to 1.
    """

    values: Mapping[str, Any]
    tokens: Sequence[float]
    score: float


def fit_rule(answers: Sequence[LabeledAnswer], buckets: int) -> Rule:
    """Fit a logistic rule to answers.

    Follows: FrugalGPT's scorer (Chen et al., 2023) and the post-hoc rule over quantiles of token
    log-probabilities of Language Model Cascades (Gupta et al., 2024). Differs: ridge-regularized
    logistic regression, its strength chosen by cross-validation, kept as plain numbers.

    Args:
        answers: What to learn from; a graded score counts as right from 0.5 on.
        buckets: Number of buckets that words are hashed to; 0: words are not used.

    Raises:
        InputError: scikit-learn is missing.
    """
    wanted = np.array([int(answer.score >= 0.5) for answer in answers])
    right, few = int(wanted.sum()), int(min(wanted.sum(), len(wanted) - wanted.sum()))
    if not few:
        return Rule(_log_odds((right + 1) / (len(answers) + 2)))
    features, scale, middle = _scale_features(answers, buckets)
    folds = len(answers) >= FEWEST_FOR_FOLDS and few >= FOLDS
    model = _fit_model(features, wanted, STRENGTHS if folds else STRENGTHS[1:2])
    slopes = model.coef_[0] / scale
    count = len(answers[0].tokens)
    words = tuple(
        (at, float(slope)) for at, slope in enumerate(slopes[count:]) if abs(slope) > 1e-6
    )
    intercept = float(model.intercept_[0] - slopes @ middle)
    return Rule(intercept, tuple(map(float, slopes[:count])), words)


def _fit_model(
    features: npt.NDArray[Any], wanted: npt.NDArray[Any], strengths: Sequence[float]
) -> Any:
    """Return a logistic regression of the strength that does best on parts left out."""
    linear, selection = _import_sklearn()
    with threadpool_limits(1):  # so little work is done before threads have begun
        fits = [
            selection.cross_val_score(
                linear.LogisticRegression(C=candidate, max_iter=2000),
                features,
                wanted,
                cv=FOLDS,
                scoring="neg_log_loss",
            ).mean()
            for candidate in (strengths if len(strengths) > 1 else ())
        ]
        strength = strengths[int(np.argmax(fits))] if fits else strengths[0]
        return linear.LogisticRegression(C=strength, max_iter=2000).fit(features, wanted)


def _scale_features(
    answers: Sequence[LabeledAnswer], buckets: int
) -> tuple[npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[Any]]:
    """Return scaled features, their scale and their centers; words are not scaled."""
    tokens = np.array([list(answer.tokens) for answer in answers], dtype=float)
    words = np.zeros((len(answers), buckets))
    for row, answer in enumerate(answers):
        for place, weight in (hash_words(answer.values, buckets) if buckets else {}).items():
            words[row, place] = weight
    spread = tokens.std(axis=0)
    scale = np.concatenate([np.where(spread > 1e-9, spread, 1.0), np.ones(buckets)])
    middle = np.concatenate([tokens.mean(axis=0), np.zeros(buckets)])
    return (np.hstack([tokens, words]) - middle) / scale, scale, middle


def _import_sklearn() -> tuple[Any, Any]:
    try:
        from sklearn import linear_model, model_selection  # noqa: PLC0415 - an extra
    except ImportError:
        raise InputError(
            'a learned signal needs scikit-learn: pip install "langprog[learn]"'
        ) from None
    return linear_model, model_selection


def _log_odds(chance: float) -> float:
    return math.log(chance / (1 - chance))
