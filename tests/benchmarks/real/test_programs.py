"""The tasks of the comparison: any stretch of rows has all labels."""

from __future__ import annotations

import langprog as lp
from benchmarks.real.programs import mix_labels
from benchmarks.tasks.intents import Task


def test_rows_that_come_sorted_by_label_are_mixed() -> None:
    rows = tuple(
        lp.Example(text=f"{label} {n}", intent=label) for label in "ab" for n in range(40)
    )
    signature = lp.Predict("text -> intent").signature
    mixed = mix_labels(Task("sorted", signature, rows, rows, rows), 0)
    for part in (mixed.validation, mixed.holdout):
        assert {*part} == {*rows} and len(part) == len(rows)
        assert {row["intent"] for row in part[:20]} == {"a", "b"}
    assert mix_labels(Task("sorted", signature, rows, rows, rows), 0) == mixed
