"""Generated types and values of them, for property tests."""

from __future__ import annotations

import dataclasses
import datetime
import enum
import string
import typing
import uuid
from decimal import Decimal
from typing import Annotated, Any, Literal, NotRequired, Optional, Union

import pydantic
import typing_extensions
from hypothesis import strategies as st

from langprog.errors import SignatureError
from langprog.signature import FieldSpec, SignatureSpec

# A type with values of it, as plain JSON data or as themselves.
Typed = tuple[Any, st.SearchStrategy[Any]]

NAMES = st.sampled_from(["first", "second", "third", "class_", "größe"])
LABELS = st.text(max_size=4) | st.integers(-9, 9) | st.booleans() | st.none()


def label(value: Any) -> str:
    return (
        {None: "null", True: "true", False: "false"}.get(value, str(value))
        if (value is None or isinstance(value, bool))
        else str(value)
    )


def limited(kind: type, **limits: Any) -> Any:
    return Annotated[kind, pydantic.Field(**limits)]


PLAIN = st.sampled_from(
    [
        (str, st.text(max_size=6)),
        (int, st.integers()),
        (float, st.floats(allow_nan=False, allow_infinity=False)),
        (bool, st.booleans()),
        (limited(int, ge=0, lt=10), st.integers(0, 9)),
        (limited(float, gt=0), st.floats(0.5, 9)),
        (limited(int, multiple_of=3), st.just(6)),
        (limited(str, min_length=1, max_length=3), st.text(min_size=1, max_size=3)),
        (limited(str, pattern="^a+$"), st.just("aa")),
        (limited(list[int], max_length=2), st.lists(st.integers(), max_size=2)),
    ]
)
ZONES = st.none() | st.sampled_from(
    [datetime.UTC, datetime.timezone(datetime.timedelta(hours=-5, minutes=-30))]
)
DECIMALS = st.decimals(allow_nan=False, allow_infinity=False)
FORMATTED = st.sampled_from(
    [
        (datetime.date, st.dates()),
        (datetime.datetime, st.datetimes(timezones=ZONES)),
        (datetime.time, st.times(timezones=ZONES)),
        (datetime.timedelta, st.timedeltas()),
        (Decimal, DECIMALS),
        (uuid.UUID, st.uuids()),
        (limited(Decimal, ge=0), st.decimals(0, 9, allow_nan=False)),
        (
            limited(datetime.date, ge=datetime.date(2000, 1, 1)),
            st.dates(datetime.date(2000, 1, 1)),
        ),
        (typing.NewType("Amount", Decimal), DECIMALS),
        (
            typing_extensions.TypeAliasType("Days", list[datetime.date]),
            st.lists(st.dates(), max_size=2),
        ),
    ]
)


class Node(pydantic.BaseModel):
    name: str
    day: datetime.date | None = None
    children: list[Node] = []


@dataclasses.dataclass
class Link:
    at: int
    after: Optional[Link] = None


class Leaf(pydantic.BaseModel):
    value: int


class Add(pydantic.BaseModel):
    left: Add | Leaf
    right: Add | Leaf


Json = typing_extensions.TypeAliasType(
    "Json", "dict[str, Json] | list[Json] | str | int | float | bool | None"
)
TREES = st.recursive(
    st.builds(Node, name=st.text(max_size=4), day=st.none() | st.dates()),
    lambda inner: st.builds(Node, name=st.text(max_size=4), children=st.lists(inner, max_size=2)),
    max_leaves=4,
)
LINKS = st.recursive(
    st.builds(Link, st.integers()),
    lambda inner: st.builds(Link, st.integers(), inner),
    max_leaves=3,
)
LEAVES = st.builds(Leaf, value=st.integers())
SUMS = st.recursive(
    st.builds(Add, left=LEAVES, right=LEAVES),
    lambda inner: st.builds(Add, left=inner | LEAVES, right=inner),
    max_leaves=3,
)
RECURSIVE = st.sampled_from(
    [(Node, TREES), (Link, LINKS), (Add, SUMS), (Union[Add, Leaf], SUMS | LEAVES)]
)


LITERALS = st.lists(LABELS, min_size=1, max_size=4, unique_by=label).map(
    lambda chosen: (Literal[tuple(chosen)], st.sampled_from(chosen))
)


@st.composite
def enums(draw: st.DrawFn) -> Typed:
    base = draw(st.sampled_from([enum.Enum, enum.StrEnum, enum.IntEnum]))
    values = {enum.StrEnum: st.text(max_size=4), enum.IntEnum: st.integers(-9, 9)}.get(
        base, LABELS
    )
    chosen = draw(st.lists(values, min_size=1, max_size=4, unique_by=label))
    made = base(
        draw(st.sampled_from(["Color", "Kind"])), [(f"M{i}", v) for i, v in enumerate(chosen)]
    )
    return made, st.sampled_from(list(made))


def optional(of: Typed) -> Typed:
    made = Optional[of[0]]
    return (made, st.none() | of[1]) if can_be_a_field(made) else of


def can_be_a_field(annotation: Any) -> bool:
    """Whether it is taken: a choice may read like null, two types may look alike in JSON."""
    try:
        FieldSpec("f", "input", annotation)
    except SignatureError:
        return False
    return True


@st.composite
def models(draw: st.DrawFn, inner: st.SearchStrategy[Typed]) -> Typed:
    members, values = {}, {}
    for name in draw(st.lists(NAMES, min_size=1, max_size=3, unique=True)):
        annotation, strategy = draw(inner)
        told = {"description": draw(st.text(string.ascii_letters, max_size=5)) or None}
        given = draw(strategy) if draw(st.booleans()) else ...
        members[name] = (annotation, pydantic.Field(given, **told))
        values[name] = strategy
    config = draw(st.sampled_from([{}, {"extra": "forbid"}, {"frozen": True}]))
    made = pydantic.create_model("Made", __config__=config, **members)  # type: ignore[call-overload]  # built from values
    return made, st.builds(made, **values)


@st.composite
def records(draw: st.DrawFn, inner: st.SearchStrategy[Typed]) -> Typed:
    members, values = [], {}
    for name in draw(st.lists(NAMES, min_size=1, max_size=3, unique=True)):
        annotation, strategy = draw(inner)
        members.append((name, annotation))
        values[name] = strategy
    made = dataclasses.make_dataclass("Made", members, frozen=draw(st.booleans()))
    return made, st.builds(made, **values)


@st.composite
def typed_dicts(draw: st.DrawFn, inner: st.SearchStrategy[Typed]) -> Typed:
    needed, free, kinds = {}, {}, {}
    for name in draw(st.lists(NAMES, min_size=1, max_size=3, unique=True)):
        annotation, strategy = draw(inner)
        if draw(st.booleans()):
            kinds[name], needed[name] = annotation, strategy
        else:
            kinds[name], free[name] = NotRequired[annotation], strategy
    # Inside a dataclass pydantic takes no other kind before Python 3.12.
    made: Any = typing_extensions.TypedDict("Made", kinds)  # type: ignore[misc]  # built from values
    return made, st.fixed_dictionaries(needed, optional=free)


@st.composite
def named_tuples(draw: st.DrawFn, inner: st.SearchStrategy[Typed]) -> Typed:
    members, values = [], {}
    for name in draw(st.lists(NAMES, min_size=1, max_size=3, unique=True)):
        annotation, strategy = draw(inner)
        members.append((name, annotation))
        values[name] = strategy
    made: Any = typing.NamedTuple("Made", members)  # type: ignore[misc]  # built from values
    return made, st.builds(made, **values)


@st.composite
def aliased(draw: st.DrawFn, inner: st.SearchStrategy[Typed]) -> Typed:
    annotation, strategy = draw(inner)
    made = pydantic.create_model("Aliased", own=(annotation, pydantic.Field(alias="ownName")))
    return made, strategy.map(lambda value: made.model_validate({"ownName": value}))


@st.composite
def unions(draw: st.DrawFn, inner: st.SearchStrategy[Typed]) -> Typed:
    several = draw(st.lists(inner, min_size=2, max_size=3))
    made = Union[tuple(of[0] for of in several)]
    return (made, st.one_of([of[1] for of in several])) if can_be_a_field(made) else several[0]


def named_records(name: str, inner: st.SearchStrategy[Typed]) -> st.SearchStrategy[Typed]:
    """Models of another name each, as those of a union are."""

    def make(of: Typed) -> Typed:
        made = pydantic.create_model(name, value=(of[0], ...))
        return made, st.builds(made, value=of[1])

    return inner.map(make)


def hashable(inner: st.SearchStrategy[Typed]) -> st.SearchStrategy[Typed]:
    """Sets and frozensets of single values."""
    kinds = st.sampled_from([(set, st.sets), (frozenset, st.frozensets)])
    return st.tuples(kinds, inner).map(
        lambda two: (two[0][0][two[1][0]], two[0][1](two[1][1], max_size=3))
    )


def containers(inner: st.SearchStrategy[Typed]) -> st.SearchStrategy[Typed]:
    keys = st.sampled_from([(str, st.text(max_size=4)), (int, st.integers())])
    return st.one_of(
        inner.map(optional),
        inner.map(lambda of: (list[of[0]], st.lists(of[1], max_size=3))),  # type: ignore[misc,index]  # built from values
        st.tuples(keys, inner).map(
            lambda two: (
                dict[two[0][0], two[1][0]],  # type: ignore[misc,index]  # built from values
                st.dictionaries(two[0][1], two[1][1], max_size=3),
            )
        ),
        models(inner),
        records(inner),
        typed_dicts(inner),
        named_tuples(inner),
        aliased(inner),
        unions(inner | named_records("First", inner) | named_records("Second", inner)),
        hashable(SINGLE),
        st.tuples(inner, inner).map(
            lambda two: (tuple[two[0][0], two[1][0]], st.tuples(two[0][1], two[1][1]))  # type: ignore[misc]  # built from values
        ),
        inner.map(
            lambda of: (tuple[of[0], ...], st.lists(of[1], max_size=3).map(tuple))  # type: ignore[misc,index]  # built from values
        ),
    )


SINGLE = (
    st.sampled_from([(str, st.text(max_size=6)), (int, st.integers()), (bool, st.booleans())])
    | LITERALS
    | FORMATTED.filter(
        lambda of: not typing_extensions.get_origin(of[0]) and of[0].__name__ != "Days"
    )
)
TYPED = st.recursive(PLAIN | LITERALS | enums() | FORMATTED | RECURSIVE, containers, max_leaves=4)


@st.composite
def signatures(draw: st.DrawFn) -> tuple[SignatureSpec, dict[str, Any]]:
    """A signature, and a value for each of its fields."""
    fields, values = [], {}
    for name in ("a", "b", "c"):
        annotation, strategy = draw(TYPED)
        role: Any = "input" if name == "a" else "output"
        fields.append(FieldSpec(name, role, annotation, draw(st.text(max_size=8))))
        values[name] = draw(strategy)
    return SignatureSpec("Made", draw(st.text(max_size=8)), tuple(fields)), values
