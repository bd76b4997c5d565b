from __future__ import annotations

import sys
import time
from typing import Any

import pytest
from pydantic import BaseModel

from langprog.checks.schemas import Schema
from langprog.errors import InputError

pytest.importorskip("jsonschema_rs")


class Line(BaseModel):
    item: str
    count: int


class Order(BaseModel):
    lines: list[Line]
    first: Line | None = None


class Tree(BaseModel):
    children: list[Tree]


def test_a_pydantic_schema_works_and_names_the_place() -> None:
    schema = Schema(Order.model_json_schema())
    assert schema.find_problem({"lines": [{"item": "a", "count": 1}]}) is None
    problem = schema.find_problem({"lines": [{"item": "a", "count": "1"}]})
    assert problem == "['lines'][0]['count']: \"1\" is not of type \"integer\""


def test_a_message_about_a_long_value_is_cut() -> None:
    problem = Schema({"type": "integer"}).find_problem("x" * 5_000)
    assert problem is not None and len(problem) < 320


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "nonsense"}, "is invalid"),
        ({"pattern": "(?=a)"}, "look-around"),
        ({"$ref": "http://127.0.0.1:9/x.json"}, "only '#/...' is known"),
        ({"$ref": "#/$defs/a"}, "lacks '#/\\$defs/a'|is not there"),
        ({"$ref": "#"}, "refers to itself"),
        (Tree.model_json_schema(), "refers to itself"),
        ({"unevaluatedProperties": False}, "does not support 'unevaluatedProperties'"),
        ({"const": float("nan")}, "not plain JSON"),
        ({"const": object()}, "not plain JSON"),
        ({"enum": list(range(6_000))}, "more than 5,000 parts"),
        ({"pattern": "[ab]*a[ab]{2000}"}, "written out"),
        ({"patternProperties": {"[ab]{900}" + "c" * n: {} for n in range(9)}}, "5,000 parts"),
        (7, "is a dict"),
    ],
)
def test_a_schema_that_cannot_be_used_is_refused(schema: Any, words: str) -> None:
    with pytest.raises(InputError, match=words):
        Schema(schema)


def test_references_that_multiply_are_refused_at_once() -> None:
    definitions: dict[str, Any] = {
        f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(15)
    }
    started = time.process_time()
    with pytest.raises(InputError, match="more than 5,000 parts"):
        Schema({"$ref": "#/$defs/d0", "$defs": {**definitions, "d15": {}}})
    assert time.process_time() - started < 5


def test_a_schema_that_is_nested_too_deeply_is_refused() -> None:
    schema: dict[str, Any] = {}
    for _ in range(100):
        schema = {"items": schema}
    with pytest.raises(InputError, match="nested more than 64 levels"):
        Schema(schema)


def test_a_backtracking_pattern_in_a_schema_takes_no_time() -> None:
    started = time.process_time()
    assert Schema({"pattern": "(a+)+$"}).find_problem("a" * 50_000 + "b") is not None
    assert time.process_time() - started < 5


def test_without_the_library_the_message_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "jsonschema_rs", None)
    with pytest.raises(InputError, match=r"pip install 'langprog\[schema\]'"):
        Schema({})
