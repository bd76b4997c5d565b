from __future__ import annotations

import copy
import pickle
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, Flag
from typing import Any, Generic, Literal, LiteralString, Optional, TypeVar

import pytest
from hypothesis import given, settings
from pydantic import AliasPath, AwareDatetime, BaseModel, EmailStr, Field, HttpUrl, RootModel

from langprog.errors import InputError, SignatureError
from langprog.media import History, Image
from langprog.signature import FieldSpec, choices_of, optional_of
from tests.signature.kinds import signatures


class Color(Enum):
    RED = "red"
    BLUE = "blue"


class Person(BaseModel):
    name: str = Field(min_length=1)
    age: Optional[int] = None  # noqa: UP045 - one of the ways to write it


@dataclass
class Point:
    x: int
    y: int = 0


class Color2(Enum):
    B = "b"


class Hidden(BaseModel):
    name: str = Field(validation_alias=AliasPath("names", 0))


class Endless(BaseModel):
    inside: Endless


class Names(RootModel[list[str]]):
    pass


T = TypeVar("T")


@dataclass
class Boxed(Generic[T]):
    item: T


class Paged(BaseModel, Generic[T]):
    items: T


class Plainly:
    pass


class Bits(Flag):
    A = 1


@dataclass
class Lost:
    x: Nowhere  # type: ignore[name-defined]  # noqa: F821 - the mistake


def field(annotation: Any, **constraints: Any) -> FieldSpec:
    return FieldSpec("f", "output", annotation, "", constraints)


@pytest.mark.parametrize(
    ("spec", "given", "value"),
    [
        (field(str), "  a ", "  a "),
        (field(int), 3, 3),
        (field(int), "3", 3),
        (field(int), 3.0, 3),
        (field(float), 3, 3.0),
        (field(bool), "yes", True),
        (field(Color), "red", Color.RED),
        (field(Color), Color.RED, Color.RED),
        (field(Literal["a", 1]), 1, 1),
        (field(int | None), None, None),
        (field(list[int]), ("1", 2), [1, 2]),
        (field(dict[int, float]), {"1": 2}, {1: 2.0}),
        (field(Person), {"name": "Ada"}, Person(name="Ada")),
        (field(Point), {"x": 1}, Point(1)),
        (field(list), [1, "a", None], [1, "a", None]),
    ],
)
def test_values_are_turned_into_the_type(spec: FieldSpec, given: Any, value: Any) -> None:
    found = spec.validate(given)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("spec", "given", "message"),
    [
        (field(str), 3, "'f' does not fit: it is 3, but must be text"),
        (field(str), "\ud83d", "'f' does not fit"),
        (field(int), "many", "'f' does not fit: .*integer"),
        (field(int), 1.5, "integer"),
        (field(int, ge=0), -1, "greater than or equal to 0"),
        (field(int | None, ge=0), -1, "greater than or equal to 0"),
        (field(float), float("nan"), "finite"),
        (field(list[float]), [float("inf")], "0: .*finite"),
        (field(str, max_length=2), "abc", "at most 2"),
        (field(str, pattern="^a"), "b", "pattern"),
        (field(list[int], min_length=1), [], "at least 1"),
        (field(Literal["a", "b"]), "c", "'a' or 'b'"),
        (field(Person), {"name": "", "age": "x"}, "name: .*; age: "),
        (field(dict[str, int]), {"a": "x"}, "a: .*integer"),
    ],
)
def test_what_does_not_fit_is_said_in_one_line(spec: FieldSpec, given: Any, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        spec.validate(given)
    assert "\n" not in str(caught.value)
    assert "pydantic" not in str(caught.value)


def test_a_value_is_not_shared_with_who_gave_it() -> None:
    given = ["a"]
    assert field(list[str]).validate(given) is not given


@pytest.mark.parametrize(
    ("spec", "value", "plain"),
    [
        (field(str), "a", "a"),
        (field(float), 1, 1.0),
        (field(Color), Color.RED, "red"),
        (field(Color), "red", "red"),
        (field(Person), Person(name="Ada"), {"name": "Ada", "age": None}),
        (field(list[Point]), [Point(1)], [{"x": 1, "y": 0}]),
        (field(dict[Color, int]), {Color.RED: 1}, {"red": 1}),
    ],
)
def test_values_as_plain_data(spec: FieldSpec, value: Any, plain: Any) -> None:
    found = spec.plain(value)
    assert found == plain
    assert type(found) is type(plain)


@pytest.mark.parametrize(
    ("spec", "text", "value"),
    [
        (field(str), "", ""),
        (field(str), "007", "007"),
        (field(int), "007", 7),
        (field(float), "1e3", 1000.0),
        (field(bool), "true", True),
        (field(str | None), "", None),
        (field(int | None), "", None),
        (field(int | None, ge=0), "3", 3),
        (field(Color), "red", Color.RED),
        (field(Color | None), "red", Color.RED),
        (field(Literal[1, True, "x"]), "true", True),
        (field(list[str]), '["a"]', ["a"]),
        (field(list[str] | None), "[]", []),
        (field(Point), '{"x": 1}', Point(1)),
    ],
)
def test_cells_of_a_table(spec: FieldSpec, text: str, value: Any) -> None:
    found = spec.from_text(text)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        (field(int), ""),
        (field(int), "many"),
        (field(int | None, ge=0), "-3"),
        (field(list[str]), "a, b"),
        (field(list[int]), '["a"]'),
        (field(Color), ""),
        (field(Point), "[" * 100_000),
    ],
)
def test_cells_that_do_not_fit(spec: FieldSpec, text: str) -> None:
    with pytest.raises(InputError, match="'f' does not fit"):
        spec.from_text(text)


@pytest.mark.parametrize(
    ("annotation", "message"),
    [
        (range, "field 'f' has the type range; a field can be str"),
        (complex, r"declare it as tuple\[float, float\]"),
        (set[list[int]], "the items of a set must be hashable"),
        (list[int] | tuple[int, ...], "two types of its Union are lists in JSON"),
        (dict[str, int] | Point, "two types of its Union are objects in JSON"),
        (int | list[History], "an lp.History stands by itself"),
        (int | Image, "cannot be in a Union"),
        (Literal["a", "b"] | Color2, "two of its choices read alike"),
        (list[complex], "field 'f' has the type complex"),
        (dict[str, complex], "field 'f' has the type complex"),
        (dict[float, int], "the keys of a dict can be str, int or choices"),
        (Literal[b"a"], "the choice b'a' must be text"),
        (Literal["1", 1], "two of its choices read alike"),
        (Literal["null"] | None, "its choice 'null' reads like no choice"),
        (Enum("Empty", []), "has no values to choose from"),
        (Enum("Odd", [("A", (1, 2))]), r"the choice \(1, 2\) must be text"),
        (Bits, "field 'f' has the type Bits"),
        (Hidden, "field 'f.name' has the alias AliasPath.*, which is not a name"),
        (Image, "no model answers with an image"),
        (Names, r"field 'f' has the type Names: declare it as list\[str\]"),
        (Sequence[str], r"declare it as list\[...\]"),
        (Mapping[str, int], r"declare it as dict\[...\]"),
        (bytes, "declare it as lp.Image, lp.Audio or lp.File"),
        (object, "has the type object: declare it as str, or as a list"),
        (Callable[[int], str], r"hand the function to lp.ReAct\(signature, tools"),
        (LiteralString, "declare it as str"),
        (HttpUrl, "has the type HttpUrl: declare it as str"),
        (list[EmailStr], "has the type EmailStr: declare it as str"),
        (AwareDatetime, "has the type AwareDatetime: declare it as datetime"),
        (Boxed[int], r"declare it as a pydantic model, class Boxed\(BaseModel, Generic\[T\]\)"),
        (Paged, "field 'f.items' has the type variable ~T: say which type it stands for"),
        (Plainly, "make the class a dataclass or a pydantic model"),
        (Literal[Color.RED], r"must be text.*: write Literal\['red'\]"),
        (Endless, "Endless is infinitely recursive"),
        (Lost, "a type of Lost cannot be resolved: name 'Nowhere'"),
        ("str", "field 'f' has the type str"),
        (None, "field 'f' has the type None"),
    ],
)
def test_a_type_that_no_field_can_have_is_refused(annotation: Any, message: str) -> None:
    with pytest.raises(SignatureError, match=message):
        field(annotation)


@pytest.mark.parametrize("constraint", ["ge", "max_length", "pattern"])
@pytest.mark.parametrize("annotation", [bool, Color, Literal["a"], Person, list[bool] | None])
def test_a_constraint_goes_with_its_type_alone(annotation: Any, constraint: str) -> None:
    value = "a" if constraint == "pattern" else 1
    if constraint == "max_length" and annotation == list[bool] | None:
        assert field(annotation, max_length=1).validate([True]) == [True]
        return
    with pytest.raises(SignatureError, match=f"the constraint '{constraint}' does not apply to"):
        field(annotation, **{constraint: value})


def test_fields_are_values() -> None:
    one = FieldSpec("f", "output", int, "d", {"ge": 0})
    _ = one.adapter
    for same in (FieldSpec("f", "output", int, "d", {"ge": 0}), copy.deepcopy(one)):
        assert same == one
        assert hash(same) == hash(one)
    assert pickle.loads(pickle.dumps(one)) == one
    for other in (field(int), FieldSpec("f", "input", int, "d", {"ge": 0}), 3):
        assert other != one


def test_the_order_of_choices_makes_another_field() -> None:
    assert Literal["a", "b"] == Literal["b", "a"]
    assert field(Literal["a", "b"]) != field(Literal["b", "a"])


def test_constraints_cannot_be_changed_from_outside() -> None:
    limits = {"ge": 0}
    spec = FieldSpec("f", "output", int, "", limits)
    limits["ge"] = 9
    assert spec.constraints == {"ge": 0}
    assert spec.type_phrase == "integer, >= 0"


def test_choices_and_optionals_are_told() -> None:
    assert choices_of(Literal["a", 1, True, None]) == {
        "a": "a",
        "1": 1,
        "true": True,
        "null": None,
    }
    assert choices_of(Color) == {"red": Color.RED, "blue": Color.BLUE}
    assert choices_of(str) is None
    assert optional_of(int | None) is int
    assert optional_of(Optional[list[str]]) == list[str]  # noqa: UP045 - one of the ways to write it
    assert optional_of(int) is None
    assert optional_of(int | str | None) is None


@settings(max_examples=40, deadline=None)
@given(case=signatures())
def test_plain_data_of_a_value_is_the_value_again(case: Any) -> None:
    spec, values = case
    for each in spec.fields:
        value = each.validate(values[each.name])
        assert each.validate(each.plain(value)) == value
