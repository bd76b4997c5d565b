"""Values of every type, as each adapter writes and reads them."""

import dataclasses
import json
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
        (str | None, "null", "null"),
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
        (Person, '{"age": 3}', "'x' does not fit: name: Field required"),
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
