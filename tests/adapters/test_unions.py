"""Which type of a union a reply means, and what of the new types is forgiven in form."""

from __future__ import annotations

import datetime
import uuid
from decimal import Decimal
from enum import Enum, IntEnum
from typing import Annotated, Any, Literal, NamedTuple, Optional, TypedDict, Union

import pytest
import typing_extensions
from pydantic import BaseModel

import langprog as lp
from langprog.adapters import adapter_named
from langprog.errors import InputError, ParseError
from langprog.signature import FieldSpec, SignatureSpec
from tests.adapters.replies import said

JSON = typing_extensions.TypeAliasType("JSON", "list[JSON] | str")


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int


class Dog(BaseModel):
    kind: Literal["dog"]
    tricks: list[str]


class Circle(BaseModel):
    size: float
    color: str = "red"


class Square(BaseModel):
    size: float


class Num(BaseModel):
    value: int


class Add(BaseModel):
    left: Add | Num
    right: Add | Num


class Point(NamedTuple):
    x: int
    y: int


class Movie(TypedDict):
    title: str


class Book(TypedDict):
    title: str
    pages: int


class Priority(Enum):
    LOW = 1
    HIGH = 2
    URGENT = 2  # another name


class Level(IntEnum):
    SMALL = 10
    LARGE = 20


TOLD = Annotated[Literal["billing", "network"], lp.describe({"billing": "invoices (and cards)"})]


def spec_of(annotation: Any) -> SignatureSpec:
    fields = (FieldSpec("q", "input"), FieldSpec("a", "output", annotation))
    return SignatureSpec("S", "Do it.", fields)


def read(annotation: Any, text: str, adapter: str = "chat") -> Any:
    reply = {
        "chat": f"[[a]]\n{text}",
        "xml": f"<a>{text}</a>",
        "json": f'{{"a": {text}}}',
    }[adapter]
    return adapter_named(adapter).parse(spec_of(annotation), said(reply))["a"]


@pytest.mark.parametrize(
    ("annotation", "text", "value"),
    [
        (datetime.date, "**2024-01-05**", datetime.date(2024, 1, 5)),
        (datetime.date, '"2024-01-05"', datetime.date(2024, 1, 5)),
        (datetime.date, "```\n2024-01-05\n```", datetime.date(2024, 1, 5)),
        (datetime.datetime, "2024-01-05 10:30", datetime.datetime(2024, 1, 5, 10, 30)),
        (Decimal, "12.30", Decimal("12.30")),
        (Decimal, "1,234.50", Decimal("1234.50")),
        (Optional[datetime.date], "null", None),
        (uuid.UUID, "12345678-1234-5678-1234-567812345678", uuid.UUID("1234567812345678" * 2)),
        (tuple[int, int], "(5, 6)", (5, 6)),
        (tuple[int, ...], "(5,)", (5,)),
        (tuple[str, ...], "- a\n- b", ("a", "b")),
        (set[str], '["a", "b", "a"]', {"a", "b"}),
        (set[str], "{'a', 'b'}", {"a", "b"}),
        (
            list[datetime.date],
            "- 2024-01-05\n- 2024-01-06",
            [datetime.date(2024, 1, d) for d in (5, 6)],
        ),
        (Point, '{"X": 1, "y": 2}', Point(1, 2)),
        (Point, "[1, 2]", Point(1, 2)),
        (Point, "(1, 2)", Point(1, 2)),
        (Union[int, Literal["unknown"]], "5", 5),
        (Union[int, Literal["unknown"]], "Unknown", "unknown"),
        (Union[int, Literal["unknown"]], "1,000", 1000),
        (Union[int, str], "1,000", "1,000"),
        (Union[int, str], "007", "007"),
        (Union[int, str], '"5"', "5"),
        (Union[bool, str], "yes", "yes"),
        (Union[bool, str], "True", True),
        (Union[int, float], "5.0", 5.0),
        (Union[int, Decimal], "5.0", Decimal("5.0")),
        (Union[datetime.date, str], "soon", "soon"),
        (Union[datetime.date, str], "2024-01-05", datetime.date(2024, 1, 5)),
        (Union[str, list[str]], '["a"]', ["a"]),
        (Union[str, list[str]], "see [1]", "see [1]"),
        (Union[str, Num], '{"value": 3}', Num(value=3)),
        (Union[str, Num], "use {braces}", "use {braces}"),
        (Union[Cat, Dog], '{"kind": "dog", "tricks": ["sit"]}', Dog(kind="dog", tricks=["sit"])),
        (Union[Cat, Dog], '{"Kind": "Dog", "tricks": []}', Dog(kind="dog", tricks=[])),
        (Union[Circle, Square], '{"type": "Square", "size": 2}', Square(size=2)),
        (Union[Circle, Square], '{"type": "square", "size": "2"}', Square(size=2)),
        (Union[Circle, Square], '{"size": 2, "color": "blue"}', Circle(size=2, color="blue")),
        (Union[Movie, Book], '{"type": "Movie", "title": "M"}', {"title": "M"}),
        (Union[Movie, Book], '{"title": "M", "pages": 3}', {"title": "M", "pages": 3}),
        (Union[Movie, int], '```json\n{"title": "M"}\n```', {"title": "M"}),
        (
            Add,
            '{"left": {"type": "Num", "value": 1}, "right": {"type": "Add", "left": {"value": 2}, '
            '"right": {"value": 3}}}',
            Add(left=Num(value=1), right=Add(left=Num(value=2), right=Num(value=3))),
        ),
        (Priority, "HIGH", Priority.HIGH),
        (Priority, "high", Priority.HIGH),
        (Priority, "urgent", Priority.HIGH),
        (Priority, "2 (HIGH)", Priority.HIGH),
        (Priority, "Priority.HIGH", Priority.HIGH),
        (Level, "20", Level.LARGE),
        (list[Level], '["LARGE", 10]', [Level.LARGE, Level.SMALL]),
        (TOLD, "billing (invoices (and cards))", "billing"),
    ],
)
def test_replies_are_read_as_they_are_meant(annotation: Any, text: str, value: Any) -> None:
    for adapter in ("chat", "xml"):
        got = read(annotation, text, adapter)
        assert got == value and type(got) is type(value)


@pytest.mark.parametrize(
    ("annotation", "text", "value"),
    [
        (datetime.date, '"2024-01-05"', datetime.date(2024, 1, 5)),
        (Decimal, "12.30", Decimal("12.30")),
        (Decimal, '"12.30"', Decimal("12.30")),
        (Union[int, str], "5", 5),
        (Union[int, str], '"5"', "5"),
        (Union[int, Literal["unknown"]], '"5"', 5),
        (Union[int, bool], "true", True),
        (Union[Literal[None, "x"], int], "null", None),
        (tuple[int, datetime.date], '[1, "2024-01-05"]', (1, datetime.date(2024, 1, 5))),
        (
            dict[datetime.date, Decimal],
            '{"2024-01-05": 1.50}',
            {datetime.date(2024, 1, 5): Decimal("1.50")},
        ),
    ],
)
def test_json_tells_texts_from_numbers(annotation: Any, text: str, value: Any) -> None:
    got = read(annotation, text, "json")
    assert got == value and type(got) is type(value)


@pytest.mark.parametrize(
    ("annotation", "text", "reason"),
    [
        (datetime.date, "2024-02-31", "must be a date, as 2024-01-31"),
        (datetime.date, "January 5, 2024", "must be a date"),
        (datetime.date, "20240105", "must be a date"),
        (datetime.timedelta, "90", "must be a duration"),
        (Decimal, "about 12", "must be a decimal number"),
        (tuple[int, int], "[5, 6, 7]", r"must be JSON list: \[integer, integer\]"),
        (set[int], "[1, 1.5]", "integer"),
        (Union[int, Literal["unknown"]], "perhaps", "must be integer, or one of: unknown"),
        (Union[Circle, Square], '{"size": 2}', "must say which type it is: 'type' is one of: Ci"),
        (Union[Circle, Square], '{"type": "Oval", "size": 2}', "one of: Circle, Square"),
        (Union[Circle, Square], '{"type": "Square", "size": "x"}', "'a' does not fit: size"),
        (Union[Cat, Dog], '{"kind": "dog"}', "tricks: it does not fit Dog|Field required"),
        (Union[Cat, Dog], '{"kind": "dog", "tricks": ["a"', "is cut off"),
        (Point, "[1, 2, 3]", "must be JSON object"),
        (Priority, "3", "one of: 1, 2"),
        (Add, '{"left": {"type": "Num"}, "right": 3}', "left"),
    ],
)
def test_what_is_no_value_is_refused(annotation: Any, text: str, reason: str) -> None:
    with pytest.raises(ParseError, match=reason):
        read(annotation, text)


def test_what_is_nested_too_deeply_is_refused() -> None:
    deep = "[" * 300 + "]" * 300
    for adapter in ("chat", "json"):
        with pytest.raises(ParseError, match="nested too deeply|cannot be read|no JSON object"):
            read(JSON, deep, adapter)
    value: Any = []
    for _ in range(5000):
        value = [value]
    with pytest.raises(InputError, match="nested too deeply"):
        FieldSpec("f", "input", JSON).plain(value)
