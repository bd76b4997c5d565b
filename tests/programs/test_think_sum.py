"""What the model says of each word is joined by code."""

from __future__ import annotations

import pytest

import langprog as lp
from benchmarks.programs.scripted import load_script
from langprog.errors import InputError
from programs.think_sum import as_distribution, examples, find_odd, metric, program


def test_every_word_is_asked_about_once_and_alone() -> None:
    model = lp.ScriptedLM(load_script("think_sum", steady=True))
    with lp.using(lm=model):
        prediction = program(words=["plum", "olive", "teal", "iron"])
    # A plum is a fruit as well, and yet not the odd one.
    assert (prediction.odd, prediction.kind) == ("iron", "color")
    asked = [request.messages[-1].content for request in model.requests]
    assert len(asked) == 4 and sum("plum" in each for each in asked) == 1


def test_a_model_that_knows_the_words_solves_every_set() -> None:
    with lp.using(lm=lp.ScriptedLM(load_script("think_sum", steady=True))):
        assert lp.evaluate(program, examples(30), metric).mean == 1.0


def test_names_are_joined_and_shares_sum_to_what_is_known() -> None:
    shares = as_distribution({"Fruits": 30, "fruit": 30, "color": 40, "none": -5})
    assert shares == pytest.approx({"fruit": 0.57, "color": 0.38, "none": 0.0})
    assert as_distribution({"x": 0}) == {}


def test_what_nobody_knows_decides_nothing_and_fails_nothing() -> None:
    assert find_odd([{}, {}], ["a", "b"]) == {"odd": "a", "kind": ""}
    assert find_odd([{"x": 0.9}, {}, {"x": 0.8}], ["a", "b", "c"])["odd"] == "b"


def test_too_few_words_have_no_odd_one() -> None:
    with pytest.raises(InputError, match="words has 2: give 3 or more"):
        program(words=["plum", "apple"])
