"""Values of every type, as each adapter writes and reads them."""

import dataclasses
import json
from decimal import Decimal
from enum import Enum
from typing import Any, Literal, Optional

import pydantic
import pytest

import langprog as lp
from langprog.errors import ParseError
from langprog.signature import FieldSpec, SignatureSpec, signature_of
from tests.adapters.replies import TextAdapter

CHAT, JSON = TextAdapter("chat"), TextAdapter("json")


class Level(Enum):
    LOW = "low"
    HIGH = 2


class Person(pydantic.BaseModel):
    name: str
    age: int | None = None


@dataclasses.dataclass
class Point:
    x: float
    label: Level = Level.LOW


def one(kind: Any) -> SignatureSpec:
    """A signature whose one output ``x`` is of this type."""
    spec = signature_of("q -> y").with_field(FieldSpec("x", "output", kind))
    return spec.without_field("y")


def same(found: Any, value: Any) -> bool:
    return type(found) is type(value) and bool(found == value)


# --- writing -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "value", "chat", "data"),
    [
        (str, "carriage\r", '"carriage\\r"', '"carriage\\r"'),
        (str, "\u2028", '"\u2028"', '"\u2028"'),
        (str, "é日🙂", "é日🙂", '"é日🙂"'),
        (str | None, None, "null", "null"),
        (str | None, "None", '"None"', '"None"'),
        (float, 1, "1.0", "1.0"),
        (bool, False, "false", "false"),
        (Literal["a b", 1, None], "a b", "a b", '"a b"'),
        (Literal["a b", 1, None], None, "null", "null"),
        (Level, Level.LOW, "low", '"low"'),
        (Level, "low", "low", '"low"'),
        (Level, Level.HIGH, "2", "2"),
        (list[Level], ["low", 2], '["low", 2]', '["low", 2]'),
        (dict[str, Level], {"a": Level.LOW}, '{"a": "low"}', '{"a": "low"}'),
        (Person, Person(name="A"), '{"name": "A", "age": null}', '{"name": "A", "age": null}'),
        (Person, {"name": "A", "age": 3}, '{"name": "A", "age": 3}', '{"name": "A", "age": 3}'),
        (list[Point], [{"x": 1}], '[{"x": 1.0, "label": "low"}]', '[{"x": 1.0, "label": "low"}]'),
    ],
)
def test_how_a_value_is_written(kind: Any, value: Any, chat: str, data: str) -> None:
    spec, demo = one(kind), lp.Example(q="?", x=value)
    assert CHAT.render(spec, [demo], {"q": "?"})[2].content == f"[[x]]\n{chat}"
    assert JSON.render(spec, [demo], {"q": "?"})[2].content == f'{{"x": {data}}}'


# --- reading: form is forgiven -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (int, "**42**", 42),
        (int, "7.", 7),
        (float, "`0.5`", 0.5),
        (bool, "TRUE", True),
        (bool, "No.", False),
        (Literal["billing", "network ops"], "billing.", "billing"),
        (Literal["billing", "network ops"], "'Billing'", "billing"),
        (Literal["billing", "network ops"], "**Network_Ops**", "network ops"),
        (Level, "LOW", Level.LOW),
        (Level, "2", Level.HIGH),
        (Level | None, "Low.", Level.LOW),
        (Level | None, "null", None),
        (int | None, "5", 5),
        (str, '"quoted \\n"', "quoted \n"),
        (str, "```python\nif x:\n    y\n```", "if x:\n    y"),
        (list[str], "1. a\n2. b", ["a", "b"]),
        (list[int], "Here: [1, 2]", [1, 2]),
        (list[str], '["two\nlines"]', ["two\nlines"]),
        (list[Level], '["low", 2]', [Level.LOW, Level.HIGH]),
        (list[Optional[int]], "[1, null]", [1, None]),  # noqa: UP045 - one of the ways to write it
        (list[Person | None], '[{"name": "A"}, null]', [Person(name="A"), None]),
        (dict[str, int], "{'a': 1, // one\n}", {"a": 1}),
        (dict[str, list[int]], '{"a": [1]}', {"a": [1]}),
        (Person, "{name: 'A', age: 36}", Person(name="A", age=36)),
        (Person, '{"age": 36, "name": "A"', Person(name="A", age=36)),
        (Point, '{"x": 2}', Point(2.0)),
    ],
)
def test_the_form_is_forgiven_in_a_section(kind: Any, text: str, value: Any) -> None:
    spec = one(kind).with_field(FieldSpec("y", "output"))
    assert same(CHAT.parse(spec, f"[[x]]\n{text}\n[[y]]\nend")["x"], value)


@pytest.mark.parametrize(
    ("kind", "data", "value"),
    [
        (str, ' "x" ', ' "x" '),
        (str, "```\ncode\n```", "```\ncode\n```"),
        (str, 5, "5"),
        (str, True, "true"),
        (str | None, None, None),
        (str | None, "null", None),
        (int, "1,000", 1000),
        (int, 3.0, 3),
        (int | None, "none", None),
        (float, 3, 3.0),
        (bool, "Yes", True),
        (Literal["a", 1], "1", 1),
        (Literal["a", "1"], 1, "1"),
        (Literal[True, "a"], True, True),
        (Literal[True, "a"], "True", True),
        (Level, "LOW", Level.LOW),
        (Level, 2, Level.HIGH),
        (Level | None, None, None),
        (list[int], "[1, 2]", [1, 2]),
        (list[Level], ["low", 2], [Level.LOW, Level.HIGH]),
        (list[Person | None], [{"name": "A"}, None], [Person(name="A"), None]),
        (Person, {"name": "A"}, Person(name="A")),
        (Point, {"x": 2, "label": "low"}, Point(2.0)),
    ],
)
def test_the_form_is_forgiven_in_an_object(kind: Any, data: Any, value: Any) -> None:
    assert same(JSON.parse(one(kind), json.dumps({"x": data}))["x"], value)


# --- reading: content is not ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "text", "reason"),
    [
        (int, "3 or 4", "'x' is '3 or 4', but must be an integer"),
        (int, "null", "must be an integer"),
        (int, "²", "must be an integer"),
        (int, "1.000", "must be an integer, without a point"),
        (list[int], "[12.000]", "must be an integer, without a point"),
        (float, "inf", "must be a number"),
        (float, "1_000", "must be a number"),
        (bool, "yes and no", "must be true or false"),
        (Literal["a", "b"], "a, b", "must be one of: a, b"),
        (Literal["a", "b"], "", "must be one of"),
        (Literal["a", "A", "b"], "a.", "must be one of"),
        (Level, "medium", "must be one of: low, 2"),
        (int | None, "unknown", "must be an integer"),
        (Literal["a"] | None, "b", "must be one of: a"),
        (list[int], "[1, 2", "'x' is cut off"),
        (list[str], '["a", "b', "'x' is cut off"),
        (list[str], '["a", , "b"]', "must be JSON list of text"),
        (list[str], '{"a": 1}', "must be JSON list"),
        (dict[str, int], '{"a": 1', "'x' is cut off"),
        (dict[str, int], '{"a": 1, "a": 2}', "the key 'a' comes twice"),
        (dict[str, int], '{"a": "many"}', "'x' does not fit: a: "),
        (Person, '{"name": "A", "age": 36', "'x' is cut off"),
        (Person, '{"name": }', "must be JSON object"),
        (Person, '{"age": 3}', "'x' does not fit: name: it is missing"),
    ],
)
def test_the_content_is_not_forgiven_in_a_section(kind: Any, text: str, reason: str) -> None:
    spec = one(kind).with_field(FieldSpec("y", "output"))
    with pytest.raises(ParseError) as caught:
        CHAT.parse(spec, f"[[x]]\n{text}\n[[y]]\nend")
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        (str, None),
        (str, ["a"]),
        (str, {"a": 1}),
        (int, "3 or 4"),
        (int, 3.5),
        (int, True),
        (float, "nan"),
        (float, True),
        (bool, "maybe"),
        (bool, 3),
        (Literal["a", "b"], "a, b"),
        (Literal["a", "b"], None),
        (Literal["a", "b"], ["a"]),
        (Literal["1"], 1.5),
        (Literal[1, 2], True),
        (Level | None, "medium"),
        (list[int], ["x"]),
        (list[int], [True]),
        (list[int], 3),
        (list[str], None),
        (list[Level], ["medium"]),
        (dict[str, int], {"a": "x"}),
        (Person, "Ada"),
        (Point, {"x": "far"}),
    ],
)
def test_the_content_is_not_forgiven_in_an_object(kind: Any, data: Any) -> None:
    with pytest.raises(ParseError, match="'x'"):
        JSON.parse(one(kind), json.dumps({"x": data}))


@pytest.mark.parametrize("text", ["[" * 100_000, '{"x":' * 100_000, "{" + "[" * 100_000])
def test_bottomless_json_is_a_parse_error(text: str) -> None:
    with pytest.raises(ParseError):
        JSON.parse(one(dict[str, int]), text)
    with pytest.raises(ParseError):
        CHAT.parse(one(list[str]), "[[x]]\n" + text)


# --- inside lists, objects and optionals ---------------------------------------------------------


Size = Literal["low", "very high"]


@dataclasses.dataclass
class Part:
    level: Level
    amount: int = 1
    tags: list[str] = dataclasses.field(default_factory=list)
    note: str | None = None
    is_new: bool = False


class Whole(pydantic.BaseModel):
    model_config = {"extra": "forbid"}

    parts: list[Part] = []
    by_level: dict[Size, float] = {}
    first_part: Part | None = None
    name: str = "none given"
    more: Any = None


@pytest.mark.parametrize(
    ("kind", "data", "value"),
    [
        (
            list[Literal["in use", "sold"]],
            '["In Use", "in_use", "SOLD."]',
            ["in use"] * 2 + ["sold"],
        ),
        (list[Level], '["LOW", "2"]', [Level.LOW, Level.HIGH]),
        (list[int], '["1,234", 5.0, "**6**", 7e2]', [1234, 5, 6, 700]),
        (list[int], "[90071992547409931.0]", [90071992547409931]),
        (list[float], '["1,234.5", 1]', [1234.5, 1.0]),
        (list[bool], '["Yes", "no.", true]', [True, False, True]),
        (list[str], '[1.10, true, "2"]', ["1.10", "true", "2"]),
        (list[str | None], '["null", "None", null, "", "x"]', [None, None, None, "", "x"]),
        (list[int | None], '["none", "", 3]', [None, None, 3]),
        (list[Literal["none", "x"] | None], '["none", "null"]', ["none", None]),
        (list[list[int]], '["[1, 2]", [3]]', [[1, 2], [3]]),
        (dict[str, list[Level]], '{"a": ["Low."]}', {"a": [Level.LOW]}),
        (dict[int, bool], '{"1": "yes", "2,000": false}', {1: True, 2000: False}),
        (dict[Size, int], '{"LOW": "1", "very_high": 2}', {"low": 1, "very high": 2}),
        (
            Part,
            '{"Level": "2", "Is New": "yes"}',
            Part(Level.HIGH, is_new=True),
        ),
        (
            list[Part],
            '[{"LEVEL": "low", "amount": "1,000", "tags": null, "note": "null"}]',
            [Part(Level.LOW, 1000)],
        ),
        (Part, '{"level": "low", "tags": "none", "amount": null}', Part(Level.LOW)),
        (
            Whole,
            '{"Parts": [{"level": "Low"}], "by-level": {"low": "1,000.5"}, "first part": "null"}',
            Whole(parts=[Part(Level.LOW)], by_level={"low": 1000.5}),
        ),
        (
            Whole,
            '{"name": null, "more": [1, 1.5, {"a": null}]}',
            Whole(more=[1, 1.5, {"a": None}]),
        ),
        (Whole, '{"name": "null"}', Whole(name="null")),
    ],
)
def test_the_form_is_forgiven_at_every_depth(kind: Any, data: str, value: Any) -> None:
    assert same(CHAT.parse(one(kind), f"[[x]]\n{data}")["x"], value)
    assert same(JSON.parse(one(kind), f'{{"x": {data}}}')["x"], value)


@pytest.mark.parametrize(
    ("kind", "data", "reason"),
    [
        (list[Literal["a", "b"]], '["a or b"]', "'x' does not fit: 0: it is 'a or b'"),
        (list[Part], '[{"level": "low"}, {"level": "mid"}]', "1.level: it is 'mid'"),
        (list[Part], '[{"level": "low", "amount": "many"}]', "0.amount: it is 'many'"),
        (list[Part], '[{"amount": 3}]', "0.level: it is missing"),
        (list[Part], '{"level": "low"}', "must be JSON list"),
        (Part, '[{"level": "low"}]', "must be JSON object"),
        (Part, '{"level": null}', "level: it is 'null'"),
        (Part, '{"level": "low", "amount": true}', "amount: it is 'true'"),
        (Part, '{"level": "low", "is_new": "on"}', "is_new: it is 'on'"),
        (Part, '{"level": "low", "IsNew": true, "is-new": false}', "may mean 'is_new'"),
        (list[int], '["1_000"]', "0: it is '1_000'"),
        (list[int], "[1.5]", "0: it is '1.5'"),
        (list[float], "[1e999]", "must be a finite number"),
        (list[Any], "[1e999]", "must be a finite number"),
        (list[str], "[null]", "'x' does not fit: 0: "),
        (list[str], '[["a"]]', "'x' does not fit: 0: "),
        (dict[Size, int], '{"LOW": 1, "low": 2}', "the key 'low' comes twice"),
        (Whole, '{"nome": "x"}', "nome: there is no such member"),
    ],
)
def test_the_content_is_not_forgiven_at_any_depth(kind: Any, data: str, reason: str) -> None:
    spec = one(kind)
    for adapter, text in ((CHAT, f"[[x]]\n{data}"), (JSON, f'{{"x": {data}}}')):
        with pytest.raises(ParseError) as caught:
            adapter.parse(spec, text)
        assert reason in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "[1,000, 2]",
        "[$5, 6]",
        "[1, 2, ...]",
        "[10:30]",
        "[1 000]",
        "[07]",
        "[1/2]",
        "[5%]",
        "[NaN]",
    ],
)
def test_broken_json_never_gives_another_number(text: str) -> None:
    with pytest.raises(ParseError):
        CHAT.parse(one(list[float]), f"[[x]]\n{text}")
    with pytest.raises(ParseError):
        JSON.parse(one(list[float]), f'{{"x": {text}}}')


@pytest.mark.parametrize(
    "kind",
    [
        list[int],
        list[str],
        list[Decimal],
        set[Decimal | None],
        tuple[str, str],
        list[int | float],
        list[int | str],
        list[Any],
    ],
)
def test_commas_in_a_list_never_make_two_values_of_one_number(kind: Any) -> None:
    with pytest.raises(ParseError, match="thousands"):
        CHAT.parse(one(kind), "[[x]]\n[1,000]")
    with pytest.raises(ParseError, match="thousands"):
        JSON.parse(one(kind), '{"x": [1,000]}')


@pytest.mark.parametrize("text", ["9:45", "0042", "3.50", "-0", "1e999", "v1.2", "dark blue"])
def test_a_text_without_quotes_is_kept_letter_by_letter(text: str) -> None:
    assert JSON.parse(one(str), f'{{"x": {text}}}')["x"] == text
    assert JSON.parse(one(list[str]), f'{{"x": [{text}]}}')["x"] == [text]


@pytest.mark.parametrize(
    "text",
    ["Both, see [1]:\n- x\n- y", "As in [1] they are many", "1. [1]\nand more", "Notes: [sic]"],
)
def test_brackets_in_a_text_are_no_list(text: str) -> None:
    with pytest.raises(ParseError):
        CHAT.parse(one(list[str]), f"[[x]]\n{text}")


def test_an_object_in_the_middle_of_a_text_is_a_part_of_it() -> None:
    text = 'Send {"x": "y"} to it'
    assert CHAT.parse(one(str), text)["x"] == text
    assert CHAT.parse(one(int), 'So: {"x": 4}.')["x"] == 4
