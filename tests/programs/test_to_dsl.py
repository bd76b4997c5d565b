"""The language of scenes, and how a scene that does not parse comes to parse."""

from __future__ import annotations

import pytest

import langprog as lp
from langprog.errors import CheckError
from langprog.lm import Request
from programs.to_dsl import examples, find_problem, metric, parse, program


@pytest.mark.parametrize(
    ("scene", "problem"),
    [
        ("", "no statements"),
        ("object car at 3", "line 1: it has 4 words, and such a statement has 5"),
        ("object car at 3 12", "'12' is not a whole number from 0 to 9"),
        ("object car at 3 -1", "'-1' is not a whole number"),
        ("object car at 3 0099", "'0099' is not a whole number"),
        ("object Car at 3 4", "'Car' is not a name"),
        ("object car at 1 1\nobject car at 2 2", "line 2: 'car' is defined twice"),
        ("object car lef of bus by 2", "'lef' stands where at, left, right, above, below may"),
        ("object car left of bus by 2", "'bus' is not defined before; defined are: nothing"),
        ("object car at 1 1\nturn car up", "'up' stands where north, east, south, west may"),
        ("object car at 1 1\n\nmove car north", "line 3: 'move' stands where object, turn may"),
        ("object", "a name and a place must follow"),
    ],
)
def test_the_parser_names_line_and_word(scene: str, problem: str) -> None:
    assert problem in find_problem(scene)


def test_every_example_parses_and_every_sentence_has_its_statement() -> None:
    for row in examples():
        assert len(parse(row.scene)) == row.description.count(".")


def test_a_scene_is_mended_by_what_the_parser_says() -> None:
    row = examples()[0]

    def reply(request: Request) -> str:
        last = request.messages[-1].content
        if "does not parse" in last:
            assert "line 1: 'thing' stands where object, turn may stand" in last
            return f"[[scene]]\n{row.scene}"
        assert row.description in last and "turn NAME DIRECTION" in last
        return f"[[scene]]\n{row.scene.replace('object', 'thing', 1)}"

    with lp.using(lm=lp.ScriptedLM(reply)):
        prediction = program(description=row.description)
    assert metric(row, prediction) == lp.Score(1.0) and prediction.usage.reasks == 1
    with lp.using(lm=lp.ScriptedLM(lambda request: "[[scene]]\nnothing")):
        with pytest.raises(CheckError, match="does not parse"):
            program(description=row.description)


def test_the_score_is_that_of_the_statements() -> None:
    row = lp.Example(scene="object car at 1 1\nturn car east")
    half = metric(row, lp.Prediction(scene="object car at 1 1"))
    assert half.value == pytest.approx(2 / 3) and half.feedback == "missing: turn car east"
    assert metric(row, lp.Prediction(scene="turn car east")).value == 0
