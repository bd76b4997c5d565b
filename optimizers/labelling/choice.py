"""Rows that were chosen to be labelled, and the choice of them."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic_core import to_jsonable_python

from langprog import Example
from langprog.example import TRAIN_ONLY
from langprog.interop import write_file
from langprog.lm import Cost
from langprog.notebook import shorten
from optimizers.labelling.nearness import Nearness
from optimizers.labelling.targets import REASON, check_choice_target

# What a row is worth to which all answers are the same: it is still unlike the others.
AGREED = 0.05
CHOSEN = "chosen by label-next"
DRAWN = "drawn at random"


@dataclass(frozen=True)
class RowToLabel:
    """A row that a person should label.

    Args:
        example: The row, without labels.
        reason: Why it was chosen.
        place: Its place in the data, from 0.
        disagreement: How different two answers are on average, from 0 to 1; ``None`` for a row
            that was drawn at random, about which nobody was asked.
        answers: How often each answer was given.
    """

    example: Example
    reason: str
    place: int
    disagreement: float | None = None
    answers: Mapping[str, int] | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the row as plain data, with why it was chosen under ``label_next``.

        A row that was not drawn at random is marked: it may be trained on, and proves nothing.
        """
        row: dict[str, Any] = to_jsonable_python(self.example.to_dict())
        if self.disagreement is not None:
            row[TRAIN_ONLY] = CHOSEN
        why = {"row": self.place + 1, "reason": self.reason}
        if self.disagreement is not None:
            why |= {"disagreement": round(self.disagreement, 4), "answers": self.answers}
        return {**row, REASON: why}


@dataclass(frozen=True)
class LabelChoice:
    """Rows to label next; ``str`` says how they were chosen.

    Args:
        rows: The rows: those that were chosen, the most useful first, then those that were drawn.
        asked: Rows about which the candidates were asked.
        candidates: Answers to each of them.
        paid: What was paid, over all sessions.
        notes: What else there is to say.
    """

    rows: tuple[RowToLabel, ...]
    asked: int
    candidates: int
    paid: Cost
    notes: tuple[str, ...] = ()

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the rows as JSONL; a file in which labels were filled in is left alone.

        Raises:
            InputError: The file cannot be written, or holds something else.
        """
        check_choice_target(path, [row.example for row in self.rows])
        lines = [json.dumps(row.to_json(), ensure_ascii=False) + "\n" for row in self.rows]
        write_file(Path(path), "".join(lines))

    def to_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {
            "rows": [row.to_json() for row in self.rows],
            "asked": self.asked,
            "candidates": self.candidates,
            "paid": {"calls": self.paid.calls, "dollars": self.paid.known_dollars},
            "notes": list(self.notes),
        }

    def __str__(self) -> str:
        chosen = [row for row in self.rows if row.disagreement is not None]
        split = sum(bool(row.disagreement) for row in chosen)
        said = (
            f"{len(self.rows)} rows to label: {len(chosen)} chosen out of {self.asked} that "
            f"{self.candidates} candidates answered ({split} with different answers)"
        )
        drawn = len(self.rows) - len(chosen)
        return f"{said}, {drawn} drawn at random" if drawn else said

    def __repr__(self) -> str:
        return shorten(f"LabelChoice({self})")


def choose_batch(
    scores: Mapping[int, float],
    nearness: Nearness,
    apart_from: Sequence[int],
    count: int,
    rng: random.Random,
) -> list[int]:
    """Choose rows with a high score that are unlike each other and unlike some others.

    Args:
        scores: Scores of rows, from 0 to 1, by place.
        nearness: Compares rows.
        apart_from: Rows that are labelled, or will be.
        count: How many to choose.
        rng: Decides between equals.

    Returns:
        Their places, in the order of choice.
    """
    places = list(scores)
    rng.shuffle(places)
    near = nearness.nearest(places, apart_from)
    chosen: list[int] = []
    left = dict.fromkeys(range(len(places)))
    while left and len(chosen) < count:
        best = max(left, key=lambda at: (scores[places[at]] + AGREED) * (1.0 - near[at]))
        del left[best]
        chosen.append(places[best])
        cosines = nearness.compare(places[best], places)
        near = [max(a, float(b)) for a, b in zip(near, cosines, strict=True)]
    return chosen
