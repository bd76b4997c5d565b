"""The best of many scores, in an order that does not depend on their number."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from langprog.retrieval.corpus import Document
from langprog.retrieval.passage import Passage

if TYPE_CHECKING:
    from numpy.typing import NDArray


def best(scores: NDArray[Any], k: int) -> list[int]:
    """Return the places of the ``k`` highest scores, the highest first.

    Equal scores are ordered by place, also at the cutoff, so that the best three are the first
    three of the best ten.
    """
    import numpy  # noqa: PLC0415 - programs without retrieval need no arrays

    if k >= len(scores):
        return [int(place) for place in numpy.argsort(-scores, kind="stable")]
    lowest = numpy.partition(scores, len(scores) - k)[len(scores) - k]
    kept = numpy.flatnonzero(scores >= lowest)
    order = numpy.argsort(-scores[kept], kind="stable")[:k]
    return [int(place) for place in kept[order]]


def passages(documents: Sequence[Document], scores: NDArray[Any], k: int) -> list[Passage]:
    """Return the ``k`` documents with the highest scores, the highest first."""
    return [Passage.of(documents[place], scores[place]) for place in best(scores, k)]
