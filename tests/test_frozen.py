"""Frozen values that are made quickly behave as dataclasses made them."""

from __future__ import annotations

import copy
import inspect
import pickle
from dataclasses import FrozenInstanceError, dataclass, fields, replace

import pytest

import langprog as lp
from langprog.frozen import quick_init


@quick_init
@dataclass(frozen=True, slots=True)
class Point:
    x: int
    y: int = 2
    name: str = ""

    def __post_init__(self) -> None:
        if self.x < 0:
            raise ValueError("below 0")
        object.__setattr__(self, "name", self.name.upper())


class Marked(Point):
    """A subclass with a dict, so of another layout."""


def test_values_are_given_by_place_by_name_or_left_out() -> None:
    assert Point(1) == Point(x=1, y=2) == Point(1, 2, "")
    assert repr(Point(1, name="a")) == "Point(x=1, y=2, name='A')"
    assert {Point(1), Point(1, 2)} == {Point(1)}


@pytest.mark.parametrize("wrong", [{}, {"x": 1, "z": 2}])
def test_a_missing_or_unknown_argument_is_a_type_error(wrong: dict[str, int]) -> None:
    with pytest.raises(TypeError, match=r"Point\.__init__\(\)"):
        Point(**wrong)  # type: ignore[arg-type]  # what the test says


@pytest.mark.parametrize("point", [Point(1), Marked(1), replace(Point(0), x=1)])
def test_it_cannot_be_changed_once_it_is_made(point: Point) -> None:
    with pytest.raises(FrozenInstanceError):
        point.x = 2  # type: ignore[misc]  # what the test says
    with pytest.raises(FrozenInstanceError):
        del point.x
    with pytest.raises((AttributeError, TypeError)):
        point.z = 3  # type: ignore[attr-defined]  # what the test says
    assert point.x == 1


def test_what_is_checked_afterwards_is_checked() -> None:
    with pytest.raises(ValueError, match="below 0"):
        Point(-1)


def test_a_subclass_is_of_its_own_class() -> None:
    marked = Marked(1, name="a")
    assert (type(marked), marked.name, marked.x) == (Marked, "A", 1)


@pytest.mark.parametrize("value", [Point(1), lp.Completion(("a",), "m"), lp.Request(())])
def test_it_can_be_copied_and_pickled(value: object) -> None:
    for other in (copy.copy(value), copy.deepcopy(value), pickle.loads(pickle.dumps(value))):
        assert other == value
        assert type(other) is type(value)


@pytest.mark.parametrize("kind", [lp.Request, lp.Completion])
def test_its_arguments_are_the_fields(kind: type) -> None:
    parameters = inspect.signature(kind).parameters
    assert list(parameters) == [item.name for item in fields(kind)]
