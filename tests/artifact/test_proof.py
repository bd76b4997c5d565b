from __future__ import annotations

import re
from enum import Enum
from typing import Any, Literal

import pytest
from pydantic import BaseModel

import langprog as lp
from langprog.artifact.proof import difference_of
from langprog.artifact.samples import sample_values
from langprog.signature import Bounded, FieldSpec, Plain


class Urgency(Enum):
    LOW = "low"


class Person(BaseModel):
    name: str
    friends: list[str]


@pytest.mark.parametrize(
    ("annotation", "constraints"),
    [
        (str, {}),
        (str, {"max_length": 5}),
        (str, {"min_length": 100}),
        (int, {"ge": 10}),
        (int, {"gt": 2, "lt": 4}),
        (float, {"le": -1.0}),
        (int, {"ge": 100, "multiple_of": 7}),
        (bool, {}),
        (Urgency, {}),
        (Literal["a", "b"], {}),
        (list[int], {"min_length": 3}),
        (dict[str, list[bool]], {}),
        (Person | None, {}),
        (list[Person], {}),
    ],
)
def test_values_are_made_from_types(annotation: Any, constraints: dict[str, Any]) -> None:
    samples = sample_values(FieldSpec("x", "input", annotation, "", constraints))
    assert samples
    assert (None in samples) == (annotation == Person | None)


def test_a_pattern_has_no_made_up_value() -> None:
    assert sample_values(FieldSpec("x", "input", str, "", {"pattern": "^[0-9]{4}-Q[1-4]$"})) == ()


@pytest.mark.parametrize("annotation", [str, list[int]])
def test_a_value_of_no_size_that_fits_a_memory_is_not_made(annotation: Any) -> None:
    assert sample_values(FieldSpec("x", "input", annotation, "", {"min_length": 10**12})) == ()


@pytest.mark.parametrize(
    "limits", [{"gt": 10**400}, {"ge": 0, "le": 10**400}, {"gt": 0.5, "lt": 10**400}]
)
@pytest.mark.parametrize("kind", ["int", "float"])
def test_limits_beyond_all_numbers_make_no_value_and_no_error(kind: str, limits: Any) -> None:
    shape = Bounded(Plain({"int": int, "float": float}[kind]), limits)
    field = FieldSpec("x", "input", int if kind == "int" else float)
    vars(field)["shape"] = shape
    assert isinstance(sample_values(field), tuple)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"predict.instruction": "Other."}, "prompt .system message. of predict"),
        ({"predict.demos": [lp.Example(a="1", b="2")]}, "prompt .user message. of predict"),
        ({"predict.model": "scripted/x"}, "the model of predict"),
        ({"predict.adapter": "json"}, "the adapter of predict"),
        ({"predict.sampling": lp.Sampling(seed=1)}, "the sampling of predict"),
    ],
)
def test_every_difference_is_seen(change: dict[str, Any], words: str) -> None:
    program = lp.Predict("a -> b")
    assert difference_of(program, program.freeze()) is None
    found = difference_of(program, program.with_parameters(change))
    assert found is not None
    assert re.search(words, found)


def test_other_types_and_other_predictors_are_seen() -> None:
    one = lp.Predict("a -> b: Literal['x', 'y']", instruction="Do.")
    two = lp.Predict("a -> b: Literal['y', 'x']", instruction="Do.")
    assert difference_of(one, two) is not None
    pipe = lp.Pipeline(first=lp.Predict("a -> b"))
    assert difference_of(pipe, lp.Predict("a -> b")) == "predictors first against predict"
