"""Answers of artifacts on trial that are kept for a while, until it is known what was right."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from langprog.example import Example
from langprog.modules import Prediction

# Answers that are kept, and the most memory for them, about, in bytes of JSON.
MOST, LARGEST = 10_000, 64 * 2**20
Arm = Literal["stable", "canary"]
# A request's id and, of a batch, the row.
Place = tuple[str, int | None]


@dataclass
class KeptAnswer:
    """A request with what was answered.

    Args:
        inputs: Its inputs.
        size: How large it is, in bytes.
        awaited: How many more artifacts are being asked about it.
        answers: What each artifact returned; ``None`` if its program failed.
        label: The right outputs, where they came before all answers did.
    """

    inputs: Mapping[str, Any]
    size: int
    awaited: int
    answers: dict[Arm, Prediction | None] = field(default_factory=dict)
    label: Example | None = None


class KeptAnswers:
    """The latest answers, by the ids of their requests; the oldest are forgotten first."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Place, KeptAnswer] = OrderedDict()
        self._size = 0

    def keep(self, place: Place, answer: KeptAnswer) -> None:
        """Keep an answer; an earlier one with the same id is forgotten."""
        self.take(place)
        self._kept[place] = answer
        self._size += answer.size
        while len(self._kept) > MOST or self._size > LARGEST:
            self._size -= self._kept.popitem(last=False)[1].size

    def get(self, place: Place) -> KeptAnswer | None:
        """Return an answer; ``None`` if it is not kept."""
        return self._kept.get(place)

    def take(self, place: Place) -> KeptAnswer | None:
        """Return an answer, and forget it."""
        answer = self._kept.pop(place, None)
        if answer is not None:
            self._size -= answer.size
        return answer
