"""Generated types and values of them, for property tests."""

from __future__ import annotations

import dataclasses
import enum
import string
from typing import Annotated, Any, Literal, Optional

import pydantic
from hypothesis import strategies as st

from langprog.signature import FieldSpec, SignatureSpec, choices_of

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
    if (choices_of(of[0]) or {}).get("null") is not None:  # such a choice is refused
        return of
    return Optional[of[0]], st.none() | of[1]  # noqa: UP045 - built from values


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
    )


TYPED = st.recursive(PLAIN | LITERALS | enums(), containers, max_leaves=4)


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
