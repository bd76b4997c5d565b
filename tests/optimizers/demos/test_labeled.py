from __future__ import annotations

from enum import Enum

import pytest

import langprog as lp
from optimizers import LabeledFewShot


class Level(Enum):
    LOW = 1
    HIGH = 2


class Rate(lp.Signature):
    """Rate the ticket."""

    ticket: str = lp.Input()
    level: Level = lp.Output()


@pytest.mark.parametrize(
    ("label", "said"),
    [("HIGH", "no label 'level' is of its declared type"), (None, "has its fields")],
)
def test_a_note_says_why_there_are_no_demonstrations(label: str | None, said: str) -> None:
    labels = {} if label is None else {"level": label}
    rows = [lp.Example(ticket=f"ticket {number}", **labels) for number in range(40)]
    with lp.using(lm=lp.ScriptedLM(lambda request: "[[level]]\n2")):
        compiled = LabeledFewShot().compile(
            lp.Predict(Rate), rows, metric=lambda row, got: 1.0, budget=lp.Budget(calls=100)
        )
    notes = [note.text for note in compiled.report.notes if "demonstrations" in note.text]
    assert len(notes) == 1
    assert said in notes[0]
