"""Inputs in clusters, and what every step is worth in each of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from langprog import Router
from langprog.errors import InputError
from langprog.modules import hash_words
from optimizers.models.choice import Floats, under_cap
from optimizers.models.observed import Observed

BUCKETS = 512
# A cluster's mean counts as so many examples of the step's mean over all clusters beside its own.
PRIOR = 5.0
SMALLEST = 10
# Weights of a center that are left out: so far below its largest one.
FAINT = 0.05


@dataclass(frozen=True, slots=True)
class Routing:
    """A router, and what it comes to.

    Args:
        router: The router.
        quality: Mean score.
        cost: Mean dollars.
        error: Standard error of its difference from the best single step.
        picked: The step that it picks for every example.
    """

    router: Router
    quality: float
    cost: float
    error: float
    picked: tuple[int, ...]


def fitted_router(
    inputs: Sequence[Mapping[str, Any]], seen: Observed, clusters: int, seed: int
) -> Router:
    """Return a router that knows the mean score of every step in every cluster.

    Args:
        inputs: Inputs of the examples.
        seen: What every step did on them.
        clusters: Number of clusters wanted.
        seed: Where the clusters start.

    Raises:
        InputError: scikit-learn is missing.
    """
    words = np.zeros((len(inputs), BUCKETS))
    for row, values in enumerate(inputs):
        for place, weight in hash_words(values, BUCKETS).items():
            words[row, place] = weight
    centers = _centers(words, clusters, seed)
    sparse = tuple(_sparse(center) for center in centers)
    router = Router(sparse, BUCKETS, ((0.0,) * seen.steps,) * len(sparse), _costs(seen))
    members = np.array([router.cluster(values) for values in inputs])
    overall = seen.score.mean(axis=1)
    quality = []
    for cluster in range(len(sparse)):
        inside = seen.score[:, members == cluster]
        mean = (inside.sum(axis=1) + PRIOR * overall) / (inside.shape[1] + PRIOR)
        quality.append(tuple(map(float, mean)))
    return Router(sparse, BUCKETS, tuple(quality), _costs(seen))


def _costs(seen: Observed) -> tuple[float, ...]:
    return tuple(map(float, seen.cost.mean(axis=1)))


def _centers(words: Floats, clusters: int, seed: int) -> Floats:
    if clusters <= 1:
        return np.asarray(words.mean(axis=0, keepdims=True))
    try:
        from sklearn.cluster import KMeans  # noqa: PLC0415 - an extra
    except ImportError:
        raise InputError('clusters need scikit-learn: pip install "langprog[learn]"') from None
    found: Floats = (
        KMeans(clusters, n_init=4, random_state=seed % 2**31).fit(words).cluster_centers_
    )
    return found


def _sparse(center: Floats) -> tuple[tuple[int, float], ...]:
    length = float(np.linalg.norm(center)) or 1.0
    top = float(center.max())
    return tuple(
        (place, round(float(weight) / length, 4))
        for place, weight in enumerate(center)
        if weight > FAINT * top
    )


def routed(router: Router, inputs: Iterable[Mapping[str, Any]], seen: Observed) -> Routing:
    """Return what a router comes to on examples."""
    picked = [router.rank(values)[0] for values in inputs]
    places = np.arange(len(picked))
    score, cost = seen.score[picked, places], seen.cost[picked, places]
    return Routing(
        router, float(score.mean()), float(cost.mean()), seen.error_of(score), tuple(picked)
    )


def always(step: int, count: int) -> Router:
    """Return a router that picks one of ``count`` steps for everything."""
    quality = tuple(float(one == step) for one in range(count))
    return Router((((0, 1.0),),), 1, (quality,), (0.0,) * count)


def best_route(found: Sequence[Routing], seen: Observed, cap: float) -> Routing | None:
    """Return the best router under a cap on the mean dollars, unless that is luck."""

    def scores(one: Routing) -> Floats:
        return np.asarray(seen.score[list(one.picked), np.arange(seen.size)])

    return under_cap(found, cap, scores, lambda one: len(set(one.picked)) == 1)


def trades(seen: Observed, count: int = 16) -> list[float]:
    """Return what a dollar may be worth in score: from nothing to "cost alone counts"."""
    cost, score = seen.cost.mean(axis=1), seen.score.mean(axis=1)
    spread = float(cost.max() - cost.min())
    if spread <= 0:
        return [0.0]
    middle = max(float(score.max() - score.min()), 0.01) / spread
    return [0.0, *map(float, middle * np.logspace(-2, 2, count))]
