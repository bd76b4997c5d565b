"""Whatever is written is read back, whatever its type and whatever stands in it."""

import dataclasses
import enum
from collections.abc import Iterable
from typing import Any, Literal, Optional

import pydantic
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import langprog as lp
from langprog.adapters import ADAPTERS, adapter_named
from langprog.errors import ParseError
from langprog.signature import FieldSpec, SignatureSpec, choices_of
from tests.adapters.replies import completion_of, said
from tests.signature import kinds

INPUTS, OUTPUTS = ("ticket", "context"), ("note", "team", "hours")

SNIPPETS = (
    *(f"[[{name}]]" for name in (*INPUTS, *OUTPUTS)),
    *("[[ team ]]", "[[ ## team ## ]]", "**[[team]]**", "\\[[team]]", "\\\\[[note]]", "[[other]]"),
    *("[[", "]]", "\\", "\\\\", '"', '""', "'", '\\"', "**", "__", "#", "- ", "> ", ":", ","),
    *("\n", "\n\n", "\r", "\r\n", "\t", " ", "  ", "\u00a0", "\u2028", "\x0b", "\x1c", "\x85"),
    *("```", "```json\n", "\n```", "```\nx\n```", "`", "<think>", "</think>"),
    *("null", "none", "None", "true", "Yes", "1,000", "3", "-1.50", "nan", "{}", "[]", "{", "}"),
    *(
        "<team>",
        "</team>",
        "<TEAM x='1'>",
        "</note",
        "<ticket/>",
        "<hours",
        "</",
        "<b>",
        "< ",
        "<",
    ),
    *("&lt;team&gt;", "&amp;", "&amp;lt;", "&#60;", "&#x3c;", "&", ";", "<![CDATA[", "]]>"),
    *('{"team": "a"}', '["a"]', "team: b", "a", "é", "日本", "🙂", "end.", "[[team", "team]]"),
)
TEXTS = st.one_of(
    st.lists(st.sampled_from(SNIPPETS), max_size=5).map("".join),
    st.text(max_size=12),
)
LABELS = st.one_of(
    st.sampled_from([*SNIPPETS, "", "billing", "Billing", "network ops", "network_ops", "yes."]),
    TEXTS,
)

Typed = tuple[Any, st.SearchStrategy[Any]]


def literals() -> st.SearchStrategy[Typed]:
    values = st.one_of(LABELS, LABELS, st.integers(-9, 9), st.booleans(), st.none())
    return st.lists(values, min_size=1, max_size=4, unique_by=label).map(
        lambda chosen: (Literal[tuple(chosen)], st.sampled_from(chosen))
    )


def enums() -> st.SearchStrategy[Typed]:
    def make(values: Iterable[Any]) -> Typed:
        made: Any = enum.Enum("Made", [(f"m{i}", value) for i, value in enumerate(values)])
        return made, st.sampled_from(list(made))

    values = st.one_of(LABELS, st.integers(-9, 9))
    return st.lists(values, min_size=1, max_size=4, unique_by=label).map(make)


def label(value: Any) -> str:
    words = {True: "true", False: "false", None: "null"}
    return words[value] if value is None or isinstance(value, bool) else str(value)


PLAIN = st.sampled_from(
    [
        (str, TEXTS),
        (int, st.integers()),
        (int, st.integers(-(10**40), 10**40)),
        (float, st.floats(allow_nan=False, allow_infinity=False)),
        (bool, st.booleans()),
    ]
)


def containers(inner: st.SearchStrategy[Typed]) -> st.SearchStrategy[Typed]:
    return st.one_of(
        inner.map(optional),
        inner.map(lambda of: (list[of[0]], st.lists(of[1], max_size=3))),  # type: ignore[misc,index]  # built from values
        inner.map(
            lambda of: (dict[str, of[0]], st.dictionaries(TEXTS, of[1], max_size=3))  # type: ignore[misc,index]  # built from values
        ),
        st.tuples(inner, inner).map(models),
        st.tuples(inner, inner).map(records),
    )


def optional(of: Typed) -> Typed:
    choices = choices_of(of[0]) or {}
    if choices.get("null") is not None:  # such a choice is refused
        return of
    values = of[1] if of[0] is not str else of[1].filter(lambda text: not is_null(text))
    return Optional[of[0]], st.none() | values  # noqa: UP045 - built from values


def is_null(text: str) -> bool:
    """Whether this text, as an optional one inside JSON, is read as none at all."""
    return text.strip().casefold() in ("null", "none")


def models(parts: tuple[Typed, Typed]) -> Typed:
    (one, ones), (two, twos) = parts
    made = pydantic.create_model("Made", first=(one, ...), second=(two, ...))
    return made, st.builds(lambda a, b: made(first=a, second=b), ones, twos)


def records(parts: tuple[Typed, Typed]) -> Typed:
    (one, ones), (two, twos) = parts
    made = dataclasses.make_dataclass("Made", [("first", one), ("second", two)])
    return made, st.builds(made, first=ones, second=twos)


TYPED = st.recursive(PLAIN | literals() | enums(), containers, max_leaves=4)


@st.composite
def cases(draw: st.DrawFn) -> tuple[SignatureSpec, dict[str, Any]]:
    fields, values = [], {}
    for role, names in (("input", INPUTS), ("output", OUTPUTS)):
        for name in names[: draw(st.integers(1, len(names)))]:
            annotation, strategy = draw(TYPED)
            fields.append(FieldSpec(name, role, annotation))  # type: ignore[arg-type]  # one of the two
            values[name] = draw(strategy)
    return SignatureSpec("Made", "Do it.", tuple(fields)), values


def mirrored(spec: SignatureSpec) -> SignatureSpec:
    """The signature that reads this one's inputs."""
    turned = [
        dataclasses.replace(f, role="output" if f.role == "input" else "input")
        for f in spec.fields
    ]
    return SignatureSpec(spec.name, spec.instruction, tuple(turned))


def turn(
    spec: SignatureSpec, adapter: str, values: dict[str, Any]
) -> tuple[lp.Completion, lp.Completion]:
    """What user and assistant say in a demonstration with these values."""
    rendered = adapter_named(adapter).render(spec, [lp.Example(**values)], values)
    assert rendered[1] == rendered[-1]
    return completion_of(rendered[1]), completion_of(rendered[2])


def same(one: Any, other: Any) -> bool:
    return type(one) is type(other) and bool(one == other)


@settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow])
@given(case=cases())
def test_what_is_written_is_read_back(case: tuple[SignatureSpec, dict[str, Any]]) -> None:
    spec, values = case
    for adapter in sorted(ADAPTERS):
        asked, told = turn(spec, adapter, values)
        for signature, text in ((spec, told), (mirrored(spec), asked)):
            read = adapter_named(adapter).parse(signature, text)
            for name in signature.outputs:
                assert same(read[name], values[name]), (adapter, text, read[name], values[name])


@pytest.mark.parametrize("adapter", sorted(ADAPTERS))
@settings(deadline=None, max_examples=50)
@given(ticket=TEXTS, context=st.lists(TEXTS, max_size=2), note=TEXTS, team=TEXTS)
def test_no_text_forges_a_section(
    adapter: str, ticket: str, context: list[str], note: str, team: str
) -> None:
    spec = lp.Predict("ticket, context: list[str] -> note, team").signature
    values = {"ticket": ticket, "context": context, "note": note, "team": team}
    # Small models close sections so: at the very end of one it is no part of the text.
    assume(adapter == "xml" or not any(_closes(name, values[name]) for name in TEXT_FIELDS))
    asked, told = turn(spec, adapter, values)
    assert adapter_named(adapter).parse(spec, told) == {"note": note, "team": team}
    read = adapter_named(adapter).parse(mirrored(spec), asked)
    assert read == {"ticket": ticket, "context": context}


TEXT_FIELDS = ("ticket", "note", "team")


def _closes(name: str, value: str) -> bool:
    return value.rstrip().endswith((f"</{name}>", f"[[/{name}]]"))


@settings(deadline=None, max_examples=50)
@given(ticket=TEXTS)
def test_each_marker_stands_once_in_a_prompt(ticket: str) -> None:
    spec = lp.Predict("ticket, context -> team").signature
    messages = adapter_named("chat").render(spec, [], {"ticket": ticket, "context": "x"})
    lines = messages[-1].content.split("\n")
    assert [line for line in lines if line in ("[[ticket]]", "[[context]]", "[[team]]")] == [
        "[[ticket]]",
        "[[context]]",
    ]


@settings(deadline=None, max_examples=50)
@given(text=st.one_of(TEXTS, st.lists(st.sampled_from(SNIPPETS), max_size=12).map("".join)))
@pytest.mark.parametrize("adapter", sorted(ADAPTERS))
def test_any_reply_is_read_or_refused(adapter: str, text: str) -> None:
    spec = lp.Predict(
        "ticket -> note, team: Literal['a', 'b'], hours: Optional[int], names: list[str]"
    ).signature
    try:
        read = adapter_named(adapter).parse(spec, said(text))
    except ParseError as error:
        assert error.text == text
    else:
        assert read["team"] in ("a", "b")
        assert read["hours"] is None or type(read["hours"]) is int
        assert type(read["names"]) is list


@settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow])
@given(case=kinds.signatures())
def test_every_kind_of_field_is_read_back(case: tuple[SignatureSpec, dict[str, Any]]) -> None:
    spec, values = case
    for adapter in sorted(ADAPTERS):
        rendered = adapter_named(adapter).render(spec, [lp.Example(**values)], {"a": values["a"]})
        read = adapter_named(adapter).parse(spec, completion_of(rendered[2]))
        for name, field in spec.outputs.items():
            assert same(read[name], field.validate(values[name])), (adapter, rendered[2])
