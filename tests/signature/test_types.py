"""Types that Python programs use every day: in words, as schemas, strictly read."""

from __future__ import annotations

import datetime
import typing
import uuid
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum, IntEnum
from typing import Annotated, Any, Literal, NamedTuple, NewType, Optional, TypedDict, Union

import pydantic
import pytest
import typing_extensions
from pydantic import BaseModel, Field

import langprog as lp
from langprog.errors import InputError, SignatureError
from langprog.signature import FieldSpec, SignatureSpec

Amount = NewType("Amount", Decimal)
Days = typing_extensions.TypeAliasType("Days", list[datetime.date])
Json = typing_extensions.TypeAliasType(
    "Json", "dict[str, Json] | list[Json] | str | int | float | bool | None"
)


class Cat(BaseModel):
    kind: Literal["cat"] = "cat"
    lives: int


class Dog(BaseModel):
    kind: Literal["dog"] = "dog"
    tricks: list[str]


class Circle(BaseModel):
    size: float


class Square(BaseModel):
    size: float


class Movie(TypedDict):
    title: str
    year: typing.NotRequired[int]


class Point(NamedTuple):
    x: int
    y: Annotated[int, Field(description="upwards")] = 0


class Size(NamedTuple):
    width: int
    height: int


class Level(IntEnum):
    LOW = 1
    HIGH = 2


class Team(Enum):
    BILLING = "billing"
    NETWORK = "network"


class Tree(BaseModel):
    name: str
    parts: list[Tree] = []


class Add(BaseModel):
    left: Add | Circle


class Aliased(BaseModel):
    street: str = Field(alias="streetName")


@dataclass
class Stay:
    when: Annotated[datetime.date, Field(description="arrival")]
    rooms: dict[str, Cat]


def field(annotation: Any, role: Any = "output", **options: Any) -> FieldSpec:
    return FieldSpec("f", role, annotation, **options)


@pytest.mark.parametrize(
    ("annotation", "words"),
    [
        (datetime.date, "date, as 2024-01-31"),
        (datetime.timedelta, "duration, as P1DT2H30M"),
        (Amount, "decimal number"),
        (Days, "JSON list of date, as 2024-01-31"),
        (tuple[int, str], "JSON list: [integer, text]"),
        (tuple[int, ...], "JSON list of integer"),
        (frozenset[str], "JSON list of text, each once"),
        (Union[int, Literal["unknown"]], "integer, or one of: unknown"),
        (Optional[int | str], "integer, or text, or null"),
        (
            Union[Cat, Dog],
            'JSON object: {"kind": one of: cat (may be left out), "lives": integer}, or '
            'JSON object: {"kind": one of: dog (may be left out), "tricks": JSON list of text}',
        ),
        (
            Union[Circle, Square],
            'JSON object: {"type": "Circle", "size": number}, or '
            'JSON object: {"type": "Square", "size": number}',
        ),
        (Movie, 'JSON object: {"title": text, "year": integer (may be left out)}'),
        (Point, 'JSON object: {"x": integer, "y": integer (may be left out; upwards)}'),
        (Aliased, 'JSON object: {"streetName": text}'),
        (Tree, 'Tree: JSON object: {"name": text, "parts": JSON list of Tree (may be left out)}'),
        (
            Json,
            "Json: JSON object (each value Json), or JSON list of Json, or text, or integer, or "
            "number, or true or false, or null",
        ),
        (Level, "one of: 1 (LOW), 2 (HIGH)"),
        (dict[str, int], "JSON object"),
        (dict[Team, Cat], None),
        (
            dict[str, list[Level]],
            "JSON object (each value JSON list of one of: 1 (LOW), 2 (HIGH))",
        ),
        (
            Stay,
            'JSON object: {"when": date, as 2024-01-31 (arrival), "rooms": JSON object (each '
            'value JSON object: {"kind": one of: cat (may be left out), "lives": integer})}',
        ),
        (Annotated[Decimal, Field(ge=0, decimal_places=2)], None),
        (Annotated[datetime.date, Field(ge=datetime.date(2020, 1, 1))], None),
    ],
)
def test_types_in_words_at_every_depth(annotation: Any, words: str | None) -> None:
    phrase = field(annotation).type_phrase
    if words is None:
        assert any(
            part in phrase
            for part in (
                "each key one of: billing, network; each value JSON object",
                "decimal number, >= 0, at most 2 decimal places",
                "date, as 2024-01-31, >= 2020-01-01",
            )
        ), phrase
    else:
        assert phrase == words


def test_recursive_schemas_have_their_definitions_at_the_root() -> None:
    class Grow(lp.Signature):
        """Grow."""

        q: str = lp.Input()
        tree: Tree = lp.Output()
        other: list[Tree] = lp.Output()
        sum: Add | Circle = lp.Output()

    schema = Grow.json_schema()
    assert schema["properties"]["tree"] == {"$ref": "#/$defs/Tree"}
    assert schema["properties"]["other"]["items"] == {"$ref": "#/$defs/Tree"}
    assert set(schema["$defs"]) == {"Tree", "Add"}
    left = schema["$defs"]["Add"]["properties"]["left"]["anyOf"]
    assert left[0] == {"$ref": "#/$defs/Add"}
    assert left[1]["properties"]["type"] == {"type": "string", "enum": ["Circle"]}


@pytest.mark.parametrize(
    ("annotation", "given", "value"),
    [
        (datetime.date, "2024-1-5", datetime.date(2024, 1, 5)),
        (datetime.date, "2024/01/05", datetime.date(2024, 1, 5)),
        (datetime.datetime, "2024-01-05 10:30", datetime.datetime(2024, 1, 5, 10, 30)),
        (
            datetime.datetime,
            "2024-01-05T10:30:00Z",
            datetime.datetime(2024, 1, 5, 10, 30, tzinfo=datetime.UTC),
        ),
        (datetime.time, "9:30", datetime.time(9, 30)),
        (datetime.timedelta, "P1DT2H", datetime.timedelta(days=1, hours=2)),
        (datetime.timedelta, "1 day, 2:00:00", datetime.timedelta(days=1, hours=2)),
        (datetime.timedelta, "-PT0.5S", datetime.timedelta(seconds=-0.5)),
        (Decimal, "1,234.50", Decimal("1234.50")),
        (Decimal, 3, Decimal(3)),
        (Decimal, 0.1, Decimal("0.1")),
        (Amount, "9.90", Decimal("9.90")),
        (
            uuid.UUID,
            "12345678123456781234567812345678",
            uuid.UUID(int=0x12345678123456781234567812345678),
        ),
        (tuple[int, str], ["1", "a"], (1, "a")),
        (set[int], [1, 1, 2], {1, 2}),
        (Movie, {"title": "M"}, {"title": "M"}),
        (Point, {"x": 1}, Point(1)),
        (Point, [1, 2], Point(1, 2)),
        (Union[Circle, Square], {"type": "Square", "size": 2}, Square(size=2)),
        (Union[Cat, Dog], {"kind": "dog", "tricks": []}, Dog(tricks=[])),
        (Union[Cat, Dog], {"tricks": []}, Dog(tricks=[])),
        (Union[Point, Size], Size(1, 2), Size(1, 2)),
        (Union[datetime.date, str], "2024-01-05", datetime.date(2024, 1, 5)),
        (Union[datetime.date, str], "soon", "soon"),
        (Union[int, str], "5", "5"),
        (Aliased, {"streetName": "High"}, Aliased(streetName="High")),
        (dict[datetime.date, int], {"2024-01-05": 1}, {datetime.date(2024, 1, 5): 1}),
    ],
)
def test_values_are_read_as_declared(annotation: Any, given: Any, value: Any) -> None:
    spec = field(annotation)
    read = spec.validate(given)
    assert read == value and type(read) is type(value)
    again = spec.validate(spec.plain(read))
    assert again == value and type(again) is type(value)


@pytest.mark.parametrize(
    ("annotation", "given", "said"),
    [
        (datetime.date, 86400, "it is 86400, but must be a date"),
        (datetime.date, "86400", "it is '86400', but must be a date, as 2024-01-31"),
        (datetime.date, "2024-02-30", "but must be a date"),
        (datetime.date, "05/01/2024", "but must be a date"),
        (datetime.date, "2024-01-05T10:00", "but must be a date"),
        (datetime.datetime, "2024-01-05", "but must be a date and time"),
        (datetime.datetime, 1704448200, "but must be a datetime"),
        (datetime.time, "25:00", "but must be a time of day"),
        (datetime.timedelta, 90, "but must be a timedelta"),
        (datetime.timedelta, "90", "but must be a duration"),
        (datetime.timedelta, "1:30", "but must be a duration"),
        (datetime.timedelta, "P1Y", "but must be a duration"),
        (Decimal, "many", "but must be a decimal number"),
        (Decimal, "NaN", "but must be a decimal number"),
        (Decimal, Decimal("NaN"), "finite"),
        (Decimal, True, "but must be a Decimal"),
        (uuid.UUID, "1234", "but must be a UUID"),
        (list[datetime.date], ["2024-01-05", "x"], "1: it is 'x', but must be a date"),
        (dict[str, Days], {"a": ["x"]}, r"a\.0: it is 'x'"),
        (Stay, {"when": 5, "rooms": {}}, "when: it is 5"),
        (tuple[int, int], [1], "y|item|required|missing|length"),
        (Union[Circle, Square], {"size": 2}, "must say which type it is: 'type' is missing"),
        (Union[Circle, Square], {"type": "Oval", "size": 2}, "has type='Oval', but it can be"),
        (Union[Circle, Square], {"type": "Square", "size": "x"}, "does not fit Square"),
    ],
)
def test_what_may_mean_something_else_is_refused(annotation: Any, given: Any, said: str) -> None:
    with pytest.raises(InputError, match=said) as caught:
        field(annotation).validate(given)
    assert "\n" not in str(caught.value)


def test_sets_are_written_in_one_order() -> None:
    names = {f"name {number}" for number in range(20)}
    assert field(set[str]).plain(names) == sorted(names)
    assert field(frozenset[tuple[int, str]]).plain(frozenset({(2, "a"), (1, "b")})) == [
        [1, "b"],
        [2, "a"],
    ]


# --- descriptions of labels ----------------------------------------------------------------------


def test_labels_are_described_where_they_stand() -> None:
    words = {"billing": "invoices and  cards"}
    for annotation, mark in (
        (Team, lp.Output("who", lp.describe(words))),
        (Team, lp.Output(lp.describe({Team.BILLING: "invoices and cards"}))),
        (Team, lp.Output(labels=lp.describe({"BILLING": "invoices and cards"}))),
        (Annotated[Team, lp.describe(words)], lp.Output("who")),
    ):
        spec = lp.Predict("q -> x").signature.with_field("team", mark, annotation)
        assert spec.outputs["team"].type_phrase == "one of: billing (invoices and cards), network"


def test_labels_are_described_at_every_depth() -> None:
    told = Annotated[Level, lp.describe({"HIGH": "today"})]

    class Task(BaseModel):
        level: told  # type: ignore[valid-type]  # made above

    assert '"level": one of: 1 (LOW), 2 (HIGH: today)' in field(list[Task]).type_phrase
    for annotation in (Optional[told], list[told], dict[str, told], set[told]):  # type: ignore[valid-type]  # made above
        assert "2 (HIGH: today)" in field(annotation).type_phrase


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: lp.describe({}), "takes descriptions by label"),
        (lambda: lp.describe({"a": 3}), "the description of 'a' must be text"),
        (lambda: field(Annotated[Team, lp.describe({"x": "y"})]), "has 'x', which is not a label"),
        (
            lambda: field(Annotated[int, lp.describe({"x": "y"})]),
            "applies to the labels of a Literal or an Enum",
        ),
        (lambda: lp.Output(lp.describe({"a": "b"}), lp.describe({"a": "b"})), "once"),
        (lambda: lp.Output("x", "y"), r"after the description comes lp.describe"),
    ],
)
def test_wrong_descriptions_are_refused(make: Any, said: str) -> None:
    with pytest.raises(SignatureError, match=said):
        make()


# --- inputs that may be left out -----------------------------------------------------------------


def test_defaults_are_checked_and_not_shared() -> None:
    spec = field(list[int], "input", default=["1"])
    assert spec.default_value() == [1]
    spec.default_value().append(2)
    assert spec.default_value() == [1]
    made = field(list[int], "input", default_factory=list)
    assert made.default_value() == [] and made.default_value() is not made.default_value()
    assert not spec.required and not made.required and not field(int | None, "input").required
    assert field(int, "input").required
    assert field(int | None, "input").default_value() is None
    assert field(int | None, "input", default=3).default_value() == 3


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: field(int, "input", default="x"), "the default of 'f' does not fit"),
        (lambda: field(int, default=3), "is an output, which has no default"),
        (lambda: lp.Output(default=3), "an output has no default; declare it Optional"),
        (lambda: lp.Input(default=3, default_factory=int), "not both"),
        (lambda: field(int, "input", default_factory=3), "its default_factory is not callable"),
    ],
)
def test_wrong_defaults_are_refused(make: Any, said: str) -> None:
    with pytest.raises(SignatureError, match=said):
        make()


# --- order and further fields --------------------------------------------------------------------


def test_fields_are_put_in_another_order() -> None:
    spec = lp.Predict("a, b -> c, d").signature
    assert list(spec.with_order("d", "c").outputs) == ["d", "c"]
    assert [f.name for f in spec.with_order("d", "b", "c", "a").fields] == ["b", "a", "d", "c"]
    assert spec.with_order("c", "d") == spec
    for wrong, said in (
        (("d",), "c of the outputs of .* is missing: name all outputs, or none"),
        (("c", "d", "x"), "has no field 'x'"),
        (("c", "c", "d"), "is given a field twice"),
    ):
        with pytest.raises(SignatureError, match=said):
            spec.with_order(*wrong)


def test_a_field_is_added_by_name() -> None:
    class Ask(lp.Signature):
        """Answer."""

        q: str = lp.Input()
        a: str = lp.Output()

    spec = Ask.with_field("why", lp.Output("step by step"), first=True).with_field(
        "n", lp.Input(ge=1), int
    )
    assert isinstance(spec, SignatureSpec)
    assert [(f.name, f.role) for f in spec.fields] == [
        ("q", "input"),
        ("n", "input"),
        ("why", "output"),
        ("a", "output"),
    ]
    assert list(Ask.with_order("a").outputs) == ["a"]
    with pytest.raises(SignatureError, match=r"must be lp.Input\(...\) or lp.Output"):
        Ask.with_field("x", str)


# --- names of other libraries --------------------------------------------------------------------


def test_words_of_another_library_are_explained() -> None:
    for name, said in (
        ("desc", "the description comes first"),
        ("prefix", "an adapter writes the prompt"),
        ("format", "an adapter writes values"),
    ):
        with pytest.raises(SignatureError, match=said):
            type(
                "S", (lp.Signature,), {"__annotations__": {"a": str}, "a": lp.Input(**{name: "x"})}
            )


def test_a_signature_is_not_made_from_a_text() -> None:
    with pytest.raises(
        SignatureError, match=r"write lp.Predict\('q -> a', instruction='Answer.'\)"
    ):
        lp.Signature("q -> a", "Answer.")
    with pytest.raises(SignatureError, match="holds no values"):
        lp.Signature(q="x")


def test_marks_of_another_library_are_explained() -> None:
    theirs = Field(json_schema_extra={"__dspy_field_type": "output", "desc": "who owns it"})
    for mark, said in (
        (theirs, r"write lp.Output\('who owns it'\) for dspy.OutputField\(...\)"),
        (Field(description="x"), "for pydantic's Field"),
        ("plain", r"lp.Input\(default=...\)"),
    ):
        with pytest.raises(SignatureError, match=said):
            type("S", (lp.Signature,), {"__annotations__": {"a": str}, "a": mark})


def test_a_typed_dict_inside_a_dataclass_is_explained() -> None:
    @pydantic.dataclasses.dataclass
    class Shelf:
        name: str

    assert field(Shelf).validate({"name": "a"}) == Shelf("a")
    assert field(list[Movie]).validate([{"title": "M", "year": "1931"}]) == [
        {"title": "M", "year": 1931}
    ]


@pytest.mark.parametrize(
    ("short", "annotation"),
    [
        ("q -> a: date", datetime.date),
        ("q -> a: datetime.datetime", datetime.datetime),
        ("q -> a: Decimal", Decimal),
        ("q -> a: tuple[int, str]", tuple[int, str]),
        ("q -> a: tuple[int, ...]", tuple[int, ...]),
        ("q -> a: set[str]", set[str]),
        ("q -> a: Union[int, str]", Union[int, str]),
        ("q -> a: int | str | None", Union[int, str, None]),
    ],
)
def test_the_short_form_has_them(short: str, annotation: Any) -> None:
    assert lp.Predict(short).outputs["a"].annotation == annotation
    assert lp.Predict("photo: lp.Image -> a").inputs["photo"].annotation is lp.Image
