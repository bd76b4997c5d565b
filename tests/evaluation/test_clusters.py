"""Which inputs are the same to a program, and which are written almost alike."""

from __future__ import annotations

import datetime
from typing import Any

import pytest

import langprog as lp
from langprog import Example
from langprog.evaluation import InputKeys


class Typed(lp.Signature):
    ticket: str = lp.Input()
    day: datetime.date | None = lp.Input()
    language: str = lp.Input(default="en")
    tags: list[str] = lp.Input(default_factory=list)
    team: str = lp.Output()


class Own(lp.Module):
    """A module whose inputs have no types."""

    def __init__(self) -> None:
        self.step = lp.Predict("n: int -> y")

    def forward(self, n: Any) -> Any:
        return self.step(n=n)


TYPED, OWN = InputKeys(lp.Predict(Typed)), InputKeys(Own())


@pytest.mark.parametrize(
    "row",
    [
        {"ticket": "x", "day": None},
        {"ticket": "x", "language": "en"},
        {"ticket": "x", "tags": [], "id": 7},
    ],
)
def test_inputs_that_a_row_omits_are_those_that_the_program_reads(row: dict[str, Any]) -> None:
    assert TYPED.of(Example(**row)) == TYPED.of(Example(ticket="x"))
    assert TYPED.of(Example(ticket="x", language="de")) != TYPED.of(Example(ticket="x"))


def test_a_value_of_a_table_is_the_value_itself() -> None:
    keys = InputKeys(lp.Predict("n: int, days: list[int] -> y"))
    read = keys.of(Example(n=8, days=[1, 2]))
    assert keys.of(Example(n="08", days="[1, 2]")) == read
    assert keys.of_similar(Example(n="08", days="[1, 2]")) == keys.of_similar(
        Example(n=8, days=[1, 2])
    )


def test_a_default_that_differs_with_every_call_is_no_input() -> None:
    numbers = iter(range(100))
    signature = lp.Predict("a -> b").signature.with_field(
        "n", lp.Input(default_factory=lambda: next(numbers)), int
    )
    keys = InputKeys(lp.Predict(signature))
    assert keys.of(Example(a="x")) == keys.of(Example(a="x"))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Help me", " help\u00a0 ME"),
        ("Help me", "help me!"),
        ("What, now?", "what now"),
        ("it's 5 - 3", "it\u2019s 5 \u2212 3"),
        ("password", "pass\u200bword"),
        ("a1", "\uff41\uff11"),
        (7, "7"),
        (7.0, 7),
        (True, "true"),
        ((1, 2), [1, 2]),
        ({"a": "X", "b": 1}, {"b": "1", "a": "x."}),
        (datetime.date(2024, 1, 2), "2024-01-02"),
    ],
)
def test_inputs_that_are_written_almost_alike(one: Any, other: Any) -> None:
    assert OWN.of_similar(Example(n=one)) == OWN.of_similar(Example(n=other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1.5", "15"),
        ("a-b", "ab"),
        ("?", "!"),
        ("1+1", "1-1"),
        ("no", "not"),
        ("", "x"),
        (0, None),
    ],
)
def test_inputs_that_say_something_else(one: Any, other: Any) -> None:
    assert OWN.of_similar(Example(n=one)) != OWN.of_similar(Example(n=other))


@pytest.mark.parametrize("value", [(1, (2, "X")), {2, 1}, {"b": [1.0], "a": None}, 0.1, "\ud800"])
def test_equal_inputs_are_always_almost_alike(value: Any) -> None:
    same = [Example(n=value), Example(n=value, more=1)]
    assert (
        len({OWN.of(each) for each in same}) == len({OWN.of_similar(each) for each in same}) == 1
    )
