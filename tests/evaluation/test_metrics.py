from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from typing import Any

import pytest
from pydantic import BaseModel

import langprog as lp
from langprog.errors import InputError, MetricError
from langprog.evaluation import contains, exact, f1, numeric


class Team(Enum):
    BILLING = "billing"
    NETWORK = "network"


class Person(BaseModel):
    name: str
    age: int


@dataclass(frozen=True)
class Point:
    x: int
    tags: list[str]


def value(metric: Any, wanted: Any, given: Any) -> float:
    return float(metric(lp.Example(x=wanted), lp.Prediction(x=given)).value)


@pytest.mark.parametrize(
    ("wanted", "given"),
    [
        ("Billing", " billing"),
        (3, 3),
        ("billing", Team.BILLING),
        (Team.BILLING, "billing"),
        ({"name": "Al", "age": 3}, Person(name="al", age=3)),
        (Person(name="Al", age=3), Person(name="Al", age=3)),
        ({"x": 1, "tags": ["A"]}, Point(1, ["a"])),
        (["a", "b"], ["A", "b "]),
        # as they stand in a table, where everything is text
        ("3", 3),
        ("3.50", 3.5),
        ("true", True),
        ("False", False),
        ("", None),
        ('["a", "b"]', ["a", "b"]),
        ('{"name": "Al", "age": 3}', Person(name="Al", age=3)),
        # several right answers for one text
        (["NYC", "New York"], "new york"),
    ],
)
def test_exact_knows_what_is_the_same(wanted: Any, given: Any) -> None:
    assert value(exact("x"), wanted, given) == 1


@pytest.mark.parametrize(
    ("wanted", "given"),
    [
        ("billing", "network"),
        ("billing", Team.NETWORK),
        (3, 4),
        ("true", False),
        ("1", True),
        ("3 hours", 3),
        ("x", None),
        ({"name": "Al", "age": 3}, Person(name="Al", age=4)),
        (["a", "b"], ["b", "a"]),
        (["NYC", "New York"], "Boston"),
        ([], "anything"),
    ],
)
def test_exact_knows_what_is_not(wanted: Any, given: Any) -> None:
    assert value(exact("x"), wanted, given) == 0


def test_without_a_field_all_shared_ones_count_but_reasoning() -> None:
    example = lp.Example(ticket="t", team="a", hours=1, reasoning="as labelled")
    given = lp.Prediction(reasoning="in other words", team="a", hours=2)
    score = exact()(example, given)
    assert score.value == 0.5
    assert score.feedback == "hours: answered 2, wanted 1"
    assert exact()(lp.Example(reasoning="r"), lp.Prediction(reasoning="r")).value == 1
    with pytest.raises(MetricError, match=r"share no field \(ticket against team\)"):
        exact()(lp.Example(ticket="t"), lp.Prediction(team="a"))


def test_a_missing_field_is_the_metrics_mistake() -> None:
    with pytest.raises(MetricError, match="the example has no 'y'; it has x"):
        exact("y")(lp.Example(x=1), lp.Prediction(x=1))
    with pytest.raises(MetricError, match="the prediction has no 'x'; it has y"):
        exact("x")(lp.Example(x=1), lp.Prediction(y=1))


def test_feedback_is_short() -> None:
    score = exact("x")(lp.Example(x="a"), lp.Prediction(x="b" * 10_000))
    assert score.feedback is not None and len(score.feedback) < 300


@pytest.mark.parametrize(
    ("wanted", "given", "expected"),
    [
        ("the Eiffel tower", "It is Eiffel Tower!", 1),
        ("art", "the party", 0),
        ("?", "what", 0),
        ("?", "what?", 1),
        (["Rome", "Roma"], "It is in Roma.", 1),
        (7, "there are 7 of them", 1),
    ],
)
def test_contains_looks_for_whole_words(wanted: Any, given: Any, expected: float) -> None:
    assert value(contains("x"), wanted, given) == expected


@pytest.mark.parametrize(
    ("wanted", "given", "expected"),
    [
        ("1,200", "so the answer is 1200.0", 1),
        (0.5, "it is .5", 1),
        (-3, "-3", 1),
        (-3, "\N{MINUS SIGN}3", 1),
        (5, "between 3-5", 1),
        (1200.5, "$1,200.50.", 1),
        (3, "3 apples", 1),
        (2e5, "2e5", 1),
        (3, "none", 0),
        (3, None, 0),
        (3, 3.2, 0),
        (3, 10**400, 0),
    ],
)
def test_numeric_reads_the_last_number(wanted: Any, given: Any, expected: float) -> None:
    assert value(numeric("x"), wanted, given) == expected


def test_numeric_has_a_tolerance_and_needs_a_number_to_compare_with() -> None:
    assert value(numeric("x", tolerance=0.1), 100, "105") == 1
    with pytest.raises(MetricError, match="holds no number"):
        value(numeric("x"), "many", 3)


@pytest.mark.parametrize(
    ("wanted", "given", "expected"),
    [
        ("a red big house", "red house", 0.8),
        ("house", "cat", 0.0),
        ("", "", 1.0),
        ("", "cat", 0.0),
        (["red house", "blue house"], "the blue house", 1.0),
    ],
)
def test_f1_is_over_words(wanted: Any, given: Any, expected: float) -> None:
    assert value(f1("x"), wanted, given) == pytest.approx(expected)


def test_sets_and_decimals_are_equal_where_their_values_are() -> None:
    example = lp.Example(names={"a", "b", "c"}, price=Decimal("9.90"))
    assert exact("names")(example, lp.Prediction(names={"c", "b", "a"})).value == 1.0
    assert exact("names")(example, lp.Prediction(names={"a"})).value == 0.0
    assert exact("price")(example, lp.Prediction(price=Decimal("9.9"))).value == 1.0
    assert numeric("price")(example, lp.Prediction(price=Decimal("9.9"))).value == 1.0


@pytest.mark.parametrize("make", [exact, contains, numeric, f1])
@pytest.mark.parametrize("field", [5, "", ["x"]])
def test_a_field_is_given_by_name(make: Any, field: Any) -> None:
    with pytest.raises(InputError, match="give the name of a field"):
        make(field)


@pytest.mark.parametrize("tolerance", ["a", -1, 1, float("nan")])
def test_the_tolerance_of_numbers_is_a_share(tolerance: Any) -> None:
    with pytest.raises(InputError, match=r"numeric\(tolerance=.*a number from 0, below 1"):
        numeric("x", tolerance=tolerance)
