"""Rows in memory are taken wherever examples are, whatever holds them."""

from __future__ import annotations

from datetime import date
from typing import Any

import pyarrow
import pytest

import langprog as lp
from langprog.errors import ExampleError
from langprog.example import examples_of

ROWS = [{"ticket": "no wifi", "n": 1}, {"ticket": "late", "n": None}]


class DSPyExample:
    """An example as DSPy has it: no mapping, but with toDict and items."""

    def __init__(self, **values: Any) -> None:
        self._store = values

    def toDict(self) -> dict[str, Any]:
        raise AssertionError("it writes objects as text")

    def items(self) -> list[tuple[str, Any]]:
        return [*self._store.items(), ("dspy_uuid", "1")]


@pytest.mark.parametrize(
    "rows",
    [
        ROWS,
        tuple(ROWS),
        iter(ROWS),
        [lp.Example(**row) for row in ROWS],
        [DSPyExample(**row) for row in ROWS],
        pyarrow.table({"ticket": ["no wifi", "late"], "n": [1, None]}),
    ],
    ids=["list", "tuple", "iterator", "examples", "dspy", "frame"],
)
def test_rows_are_examples(rows: Any) -> None:
    assert examples_of(rows) == [lp.Example(**row) for row in ROWS]


def test_a_frame_is_evaluated_and_read_for_a_program() -> None:
    program = lp.Predict("ticket -> n: int")
    frame = pyarrow.table({"ticket": ["a", "b"], "n": ["7", "8"]})
    with lp.using(lm=lp.ScriptedLM(lambda request: "[[n]]\n7")):
        report = lp.evaluate(program, frame, lambda row, got: row.n == got.n)
    assert [row.score.value for row in report.rows if row.score] == [1.0, 0.0]
    assert lp.load_examples(frame, program)[1] == lp.Example(ticket="b", n=8)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ("rows.csv", "the data is a str: give a list of examples"),
        ({"ticket": "a"}, "the data is a dict: give a list of examples"),
        (3, "the data is a int: give a list of examples"),
        ([{"ticket": "a"}, 3], "example 2 is a int, not an lp.Example"),
        ([{"ticket": "a", 3: 4}], "example 1 has the key 3, which is not text"),
        (
            pyarrow.Table.from_arrays([[1], [2]], names=["a", "a"]),
            r"a Table whose rows cannot be read: .*to_dict\('records'\)",
        ),
    ],
    ids=["text", "dict", "number", "no row", "key", "columns"],
)
def test_what_holds_no_rows_is_said_in_one_sentence(rows: Any, said: str) -> None:
    with pytest.raises(ExampleError, match=f"(?s){said}"):
        examples_of(rows)


def test_demonstrations_of_dspy_are_taken() -> None:
    demo: Any = DSPyExample(ticket="a", team="b")
    assert lp.Predict("ticket -> team", demos=[demo]).demos == (lp.Example(ticket="a", team="b"),)


def test_a_digest_is_the_same_in_each_process_and_takes_any_key() -> None:
    assert lp.Example(a={date(2024, 1, 5): 1}).digest == lp.Example(a={date(2024, 1, 5): 1}).digest
    assert lp.Example(a={date(2024, 1, 5): 1}) != lp.Example(a={date(2024, 1, 6): 1})


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (
            lambda row: row.with_inputs("a"),
            "an example has no with_inputs: .*signature says which",
        ),
        (lambda row: row.toDict(), r"has no toDict: write to_dict\(\)"),
        (lambda row: row.inputs(), "the program's signature says which fields are inputs"),
        (lambda row: row.labels(), "outputs"),
    ],
)
def test_names_of_another_library_are_explained(wrong: Any, said: str) -> None:
    with pytest.raises(AttributeError, match=said):
        wrong(lp.Example(a=1))
    assert lp.Example(inputs=3).inputs == 3


def test_a_dict_as_example_is_explained() -> None:
    with pytest.raises(ExampleError, match=r"Example\(\*\*row\) for a dict"):
        lp.Example({"a": 1})
