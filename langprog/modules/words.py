"""Texts as vectors of hashed words, for learned rules that are stored as data."""

from __future__ import annotations

import math
import re
import zlib
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

_WORD = re.compile(r"\w+")


def hash_words(values: Mapping[str, Any], buckets: int) -> dict[int, float]:
    """Return the words and word pairs of fields as a sparse vector of length 1.

    Args:
        values: Fields by name; the same word in two fields counts as two.
        buckets: Dimensions of the vector; words are hashed to them by CRC-32.

    Returns:
        Weights by index: log(1 + count), normalized; empty if there are no words.
    """
    counts: Counter[int] = Counter()
    for name, value in values.items():
        words = _WORD.findall(str(value).casefold())
        for token in (*words, *map(" ".join, zip(words, words[1:], strict=False))):
            counts[zlib.crc32(f"{name}={token}".encode()) % buckets] += 1
    weights = {place: math.log1p(count) for place, count in counts.items()}
    length = math.sqrt(sum(weight * weight for weight in weights.values()))
    return {place: weights[place] / length for place in sorted(weights)}


def dot(vector: Mapping[int, float], weights: Iterable[tuple[int, float]]) -> float:
    """Return the inner product of two sparse vectors."""
    return sum(weight * vector.get(place, 0.0) for place, weight in weights)
