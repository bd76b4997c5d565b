from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Annotated, Any, Literal

import pytest
from pydantic import AfterValidator, BaseModel, Field

from langprog.signature import FieldSpec


class Color(Enum):
    RED = "red"
    TWO = 2


@dataclass
class Point:
    x: int
    y: float = 0.0


def even(value: int) -> int:
    """Must be even."""
    return value


class Person(BaseModel):
    name: str = Field(min_length=1, description="as in the passport")
    age: Annotated[int, AfterValidator(even)] | None = Field(None, ge=0)
    at: list[Point]


@pytest.mark.parametrize(
    ("annotation", "limits", "words", "schema"),
    [
        (str, {}, "", {"type": "string"}),
        (int, {}, "integer", {"type": "integer"}),
        (float, {}, "number", {"type": "number"}),
        (bool, {}, "true or false", {"type": "boolean"}),
        (Literal["a", "b"], {}, "one of: a, b", {"type": "string", "enum": ["a", "b"]}),
        (Literal["a", True, None], {}, "one of: a, true, null", {"enum": ["a", True, None]}),
        (Color, {}, "one of: red, 2", {"enum": ["red", 2]}),
        (str | None, {}, "text, or null", {"anyOf": [{"type": "string"}, {"type": "null"}]}),
        (list[str], {}, "JSON list of text", {"type": "array", "items": {"type": "string"}}),
        (list, {}, "JSON list", {"type": "array", "items": {}}),
        (dict, {}, "JSON object", {"type": "object", "additionalProperties": {}}),
        (
            dict[Literal["a"], int],
            {},
            "JSON object (each key one of: a; each value integer)",
            {
                "type": "object",
                "additionalProperties": {"type": "integer"},
                "propertyNames": {"enum": ["a"]},
            },
        ),
        (int, {"ge": 0}, "integer, >= 0", {"type": "integer", "minimum": 0}),
        (
            float,
            {"gt": 0, "le": 1.5, "multiple_of": 0.5},
            "number, > 0, <= 1.5, a multiple of 0.5",
            {"type": "number", "exclusiveMinimum": 0, "maximum": 1.5, "multipleOf": 0.5},
        ),
        (
            str,
            {"min_length": 1, "max_length": 9, "pattern": "^a"},
            "text, at least 1 long, at most 9 long, matching ^a",
            {"type": "string", "minLength": 1, "maxLength": 9, "pattern": "^a"},
        ),
        (
            list[bool],
            {"max_length": 3},
            "JSON list of true or false, at most 3 long",
            {"type": "array", "items": {"type": "boolean"}, "maxItems": 3},
        ),
        (
            int | None,
            {"lt": 5},
            "integer, or null, < 5",
            {"anyOf": [{"type": "integer", "exclusiveMaximum": 5}, {"type": "null"}]},
        ),
        (
            list[Annotated[int, Field(ge=0)]],
            {},
            "JSON list of integer (>= 0)",
            {"type": "array", "items": {"type": "integer", "minimum": 0}},
        ),
        (
            Annotated[int, AfterValidator(even)],
            {"ge": 0},
            "integer, >= 0, Must be even",
            {"type": "integer", "minimum": 0},
        ),
        (
            Point,
            {},
            'JSON object: {"x": integer, "y": number (may be left out)}',
            {
                "type": "object",
                "properties": {"x": {"type": "integer"}, "y": {"type": "number"}},
                "required": ["x"],
                "additionalProperties": False,
            },
        ),
    ],
)
def test_types_in_words_and_as_schema(
    annotation: Any, limits: dict[str, Any], words: str, schema: dict[str, Any]
) -> None:
    field = FieldSpec("f", "output", annotation, "", limits)
    assert field.type_phrase == words
    assert field.json_schema() == schema
    assert field.line == (f"- f ({words})" if words else "- f")


def test_a_model_shows_limits_rules_descriptions_and_what_may_be_left_out() -> None:
    field = FieldSpec("f", "output", Person, "who")
    assert field.line == (
        '- f (JSON object: {"name": text (at least 1 long; as in the passport), '
        '"age": integer (Must be even), or null (>= 0; may be left out), '
        '"at": JSON list of JSON object: {"x": integer, "y": number (may be left out)}}): who'
    )
    schema = field.json_schema()
    assert schema["description"] == "who"
    assert schema["properties"]["name"]["description"] == "as in the passport"
    assert schema["required"] == ["name", "at"]


def test_a_description_stands_as_it_was_written() -> None:
    assert FieldSpec("f", "input", str, "a:\n- b\n  c").line == "- f: a:\n- b\n  c"
