"""Rows that are marked train_only are learned from, and prove nothing."""

from __future__ import annotations

import pytest

import langprog as lp
from langprog.errors import InputError
from langprog.example import TRAIN_ONLY, why_train_only
from optimizers.split import Inputs, Split, split

PROGRAM = lp.Predict("ticket -> team")
SURE = [lp.Example(ticket=f"sure {at}", team="ab"[at % 2]) for at in range(30)]
WEAK = [
    lp.Example(ticket=f"weak {at}", team="ab"[at % 2], **{TRAIN_ONLY: "weak label"})
    for at in range(50)
]


def divide(train: list[lp.Example], **parts: list[lp.Example]) -> Split:
    return split(
        train, parts.get("valset"), parts.get("holdout"), 0, inputs=Inputs(PROGRAM),
        must_pass=parts.get("must_pass", ()),
    )  # fmt: skip


def test_marked_rows_go_into_train_alone() -> None:
    parts = divide([*WEAK, *SURE])
    assert set(WEAK) <= set(parts.train)
    assert not [row for row in (*parts.validation, *parts.holdout) if why_train_only(row)]
    assert len(parts.holdout) == 9 and len(parts.validation) == 12
    assert "50 examples are marked train_only (weak label): they are used for training" in str(
        parts.notes
    )
    alone = divide(SURE)
    assert (parts.validation, parts.holdout) == (alone.validation, alone.holdout)


@pytest.mark.parametrize("part", ["valset", "holdout", "must_pass"])
def test_marked_rows_are_refused_where_something_is_proved(part: str) -> None:
    other = [lp.Example(ticket=f"other {at}", team="a") for at in range(5)]
    with pytest.raises(InputError, match=rf"{part}\[5\] is marked 'train_only' \(weak label\)"):
        divide(SURE, **{part: [*other, WEAK[0]]})


def test_a_weak_label_gives_way_to_a_sure_one_of_the_same_input() -> None:
    same = lp.Example(ticket="Sure 3!", team="b", **{TRAIN_ONLY: True})
    held = lp.Example(ticket="held 1", team="b", **{TRAIN_ONLY: True})
    holdout = [lp.Example(ticket=f"held {at}", team="a") for at in range(5)]
    parts = divide([*SURE, same, held, *WEAK], holdout=holdout)
    everything = {*parts.train, *parts.validation, *parts.holdout}
    assert same not in everything and held not in everything
    assert "2 examples that are marked train_only have the same inputs" in str(parts.notes)


def test_too_few_sure_rows_are_refused_however_many_weak_ones_there_are() -> None:
    with pytest.raises(InputError, match="too few examples"):
        divide(WEAK)


@pytest.mark.parametrize("value", [None, False, "", "false", "No", 0, "0", " "])
def test_what_a_table_has_for_no_is_no_mark(value: object) -> None:
    assert why_train_only(lp.Example(ticket="x", **{TRAIN_ONLY: value})) is None
