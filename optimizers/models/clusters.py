"""Cluster inputs, and fit routers that know the value of every step in each cluster."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from langprog import Router
from langprog.errors import InputError
from langprog.modules import hash_words
from optimizers.models.step_results import StepResults
from optimizers.models.tradeoffs import Floats, pick_under_cap

BUCKETS = 512
# Weight, in examples, of a step's overall mean in its mean over a cluster.
PRIOR = 5.0
SMALLEST = 10
# Weights of a center below this share of its largest are left out.
FAINT = 0.05


@dataclass(frozen=True, slots=True)
class EvaluatedRouter:
    """A router and its results on examples.

    Args:
        router: The router.
        quality: Mean score.
        cost: Mean dollars of a query.
        error: Standard error of its mean difference from the best single step.
        picked: The step that it picks for every example.
    """

    router: Router
    quality: float
    cost: float
    error: float
    picked: tuple[int, ...]


def fit_router(
    inputs: Sequence[Mapping[str, Any]], results: StepResults, clusters: int, seed: int
) -> Router:
    """Fit a router that knows the mean score of every step in every cluster.

    Args:
        inputs: Inputs of the examples.
        results: Results of every step on them.
        clusters: Number of clusters wanted.
        seed: Of the clustering.

    Raises:
        InputError: scikit-learn is missing.
    """
    words = np.zeros((len(inputs), BUCKETS))
    for row, values in enumerate(inputs):
        for place, weight in hash_words(values, BUCKETS).items():
            words[row, place] = weight
    centers = _find_centers(words, clusters, seed)
    sparse = tuple(_make_sparse(center) for center in centers)
    costs = tuple(map(float, results.cost.mean(axis=1)))
    router = Router(sparse, BUCKETS, ((0.0,) * results.steps,) * len(sparse), costs)
    members = np.array([router.cluster(values) for values in inputs])
    overall = results.score.mean(axis=1)
    quality = []
    for cluster in range(len(sparse)):
        inside = results.score[:, members == cluster]
        mean = (inside.sum(axis=1) + PRIOR * overall) / (inside.shape[1] + PRIOR)
        quality.append(tuple(map(float, mean)))
    return Router(sparse, BUCKETS, tuple(quality), costs)


def _find_centers(words: Floats, clusters: int, seed: int) -> Floats:
    if clusters <= 1:
        return np.asarray(words.mean(axis=0, keepdims=True))
    try:
        from sklearn.cluster import KMeans  # noqa: PLC0415 - an extra
    except ImportError:
        raise InputError('clusters need scikit-learn: pip install "langprog[learn]"') from None
    centers: Floats = (
        KMeans(clusters, n_init=4, random_state=seed % 2**31).fit(words).cluster_centers_
    )
    return centers


def _make_sparse(center: Floats) -> tuple[tuple[int, float], ...]:
    length = float(np.linalg.norm(center)) or 1.0
    top = float(center.max())
    return tuple(
        (place, round(float(weight) / length, 4))
        for place, weight in enumerate(center)
        if weight > FAINT * top
    )


def evaluate_router(
    router: Router, inputs: Iterable[Mapping[str, Any]], results: StepResults
) -> EvaluatedRouter:
    """Return the results of a router on examples, from those of its steps."""
    picked = [router.rank(values)[0] for values in inputs]
    places = np.arange(len(picked))
    score, cost = results.score[picked, places], results.cost[picked, places]
    return EvaluatedRouter(
        router, float(score.mean()), float(cost.mean()), results.error_of(score), tuple(picked)
    )


def make_constant_router(step: int, count: int) -> Router:
    """Return a router that picks the same one of ``count`` steps for everything."""
    quality = tuple(float(other == step) for other in range(count))
    return Router((((0, 1.0),),), 1, (quality,), (0.0,) * count)


def pick_router_under_cap(
    routers: Sequence[EvaluatedRouter], results: StepResults, cap: float
) -> EvaluatedRouter | None:
    """Return the best router under a cap on the mean dollars, unless its lead may be luck."""

    def scores(option: EvaluatedRouter) -> Floats:
        return np.asarray(results.score[list(option.picked), np.arange(results.size)])

    return pick_under_cap(routers, cap, scores, lambda option: len(set(option.picked)) == 1)


def list_trades(results: StepResults, count: int = 16) -> list[float]:
    """List what a dollar may be worth in score: from nothing to "only cost counts"."""
    cost, score = results.cost.mean(axis=1), results.score.mean(axis=1)
    cost_range = float(cost.max() - cost.min())
    if cost_range <= 0:
        return [0.0]
    middle = max(float(score.max() - score.min()), 0.01) / cost_range
    return [0.0, *map(float, middle * np.logspace(-2, 2, count))]
