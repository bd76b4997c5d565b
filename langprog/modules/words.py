"""Texts as vectors of hashed words, for rules that are learned and kept as data."""

from __future__ import annotations

import math
import re
import zlib
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

_WORD = re.compile(r"\w+")


def hash_words(values: Mapping[str, Any], buckets: int) -> dict[int, float]:
    """Return words and pairs of words of some fields as a sparse vector of length 1.

    Args:
        values: Fields by name; a word counts apart in every field.
        buckets: Places of the vector; words share them by their CRC-32.

    Returns:
        Weights by place, log(1 + times it occurs), scaled; empty where there is no word.
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
