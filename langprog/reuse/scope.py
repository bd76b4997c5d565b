"""The answers of one program for one tenant, in memory."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from langprog.reuse.chances import LogisticGrid, Vector

# An answer that may as well be wrong as right is never reused, whatever the bound would allow.
MOST_WRONG = 0.5
# Of the answers that could be reused without any doubt, this share is asked for all the same: else
# nothing would show that they have become wrong.
ALWAYS_ASKED = 0.02


@dataclass(frozen=True, slots=True)
class Nearest:
    """The stored answer whose input is most similar to another one.

    Args:
        entry: Its number in the store.
        similarity: Cosine of both inputs' vectors.
        chance_wrong: Chance that it is wrong for that input; ``None`` before there are enough
            comparisons in the scope.
    """

    entry: int
    similarity: float
    chance_wrong: float | None

    def reuse_probability(self, max_error: float) -> float:
        """Return with what probability it is reused.

        Then the chance that a wrong answer is given is at most ``max_error``: it takes a reuse and
        a wrong answer.
        """
        if self.chance_wrong is None or self.chance_wrong > MOST_WRONG:
            return 0.0
        return min(1.0 - ALWAYS_ASKED, max_error / max(self.chance_wrong, 1e-12))


class Scope:
    """Vectors of answered inputs, and what comparisons have shown of each answer."""

    def __init__(self) -> None:
        self._grid = LogisticGrid()
        self._numbers: list[int] = []
        self._places: dict[int, int] = {}
        self._vectors: Vector = np.zeros((0, 0), dtype=np.float32)
        self._likelihoods: dict[int, Vector] = {}
        self._comparisons = 0

    def __len__(self) -> int:
        return len(self._numbers)

    def add(self, entry: int, vector: Vector) -> None:
        """Add an answer; one with a vector of another length than the first is left out."""
        count, width = len(self._numbers), len(vector)
        if count and width != self._vectors.shape[1]:
            return
        if count == len(self._vectors):
            larger = np.zeros((max(16, 2 * count), width), dtype=np.float32)
            larger[:count] = self._vectors[:count] if count else 0.0
            self._vectors = larger
        self._vectors[count] = vector
        self._places[entry] = count
        self._numbers.append(entry)

    def drop(self, entry: int) -> None:
        """Never return an answer again, as it cannot be read."""
        place = self._places.get(entry)
        if place is not None:
            self._vectors[place] = 0.0

    def compare(self, entry: int, similarity: float, right: bool) -> None:
        """Add what a comparison has shown: whether an answer was right for another input."""
        if entry not in self._places:
            return
        new = self._grid.log_likelihood(similarity, right)
        known = self._likelihoods.get(entry)
        self._likelihoods[entry] = new if known is None else known + new
        self._comparisons += 1
        self._grid.learn(self._likelihoods.values(), self._comparisons)

    def nearest(self, vector: Vector) -> Nearest | None:
        """Return the answer to the most similar input; ``None`` if there is none."""
        count = len(self._numbers)
        if not count or len(vector) != self._vectors.shape[1]:
            return None
        similarities = self._vectors[:count] @ vector
        place = int(similarities.argmax())
        similarity = float(similarities[place])
        if similarity <= 0.0:
            return None
        entry = self._numbers[place]
        if not self._grid.knows_scope:
            return Nearest(entry, similarity, None)
        chance = self._grid.chance_wrong(similarity, self._likelihoods.get(entry))
        return Nearest(entry, similarity, chance)
