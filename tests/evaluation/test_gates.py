"""Checks that hold a team's prompts to their evidence."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import langprog as lp
from langprog.artifact import save_program
from langprog.evaluation import InputKeys, assert_not_worse, compare_programs

pytest_plugins = ["pytester"]

ROWS = [lp.Example(x=f"row {n} ", y=1) for n in range(80)]


def answering(right: int, name: str = "m") -> lp.Predict:
    """A program that is right on so many of ten rows."""

    def reply(request: lp.Request) -> str:
        number = int(str(request.messages[-1].content).rpartition("row ")[2].split()[0])
        return f"[[y]]\n{int(number % 10 < right)}"

    return lp.Predict("x -> y: int", model=lp.ScriptedLM(reply, name=f"scripted/{name}{right}"))


def is_one(example: lp.Example, prediction: lp.Prediction) -> bool:
    return bool(prediction.y == 1)


def test_a_program_that_is_as_good_passes() -> None:
    found = assert_not_worse(answering(9), answering(9, "n"), ROWS, is_one, tolerance=0.05)
    assert found.claims.n == 80 and found.claims.low >= -0.05


@pytest.mark.parametrize(
    ("right", "count", "said"),
    [
        (2, 80, "it is worse"),
        (9, 30, "30 different inputs cannot show that: 59 are the fewest"),
    ],
)
def test_what_is_not_shown_fails_with_the_reason(right: int, count: int, said: str) -> None:
    with pytest.raises(AssertionError, match=said):
        assert_not_worse(answering(right), answering(9, "n"), ROWS[:count], is_one)


def test_a_few_losses_among_many_ties_may_be_too_many() -> None:
    def rarely(request: lp.Request) -> str:
        number = int(str(request.messages[-1].content).rpartition("row ")[2].split()[0])
        return f"[[y]]\n{int(number not in (11, 42))}"

    program = lp.Predict("x -> y: int", model=lp.ScriptedLM(rarely, name="scripted/rarely"))
    with pytest.raises(AssertionError, match="it may lose 0.0"):
        assert_not_worse(program, answering(10), ROWS, is_one)


def test_copies_of_an_example_count_once() -> None:
    with pytest.raises(AssertionError, match="20 different inputs"):
        assert_not_worse(answering(9), answering(9, "n"), ROWS[:20] * 4, is_one)


def test_rows_without_a_score_are_left_out() -> None:
    def metric(example: lp.Example, prediction: lp.Prediction) -> bool:
        if example.x == "row 3 ":
            raise KeyError("rare")
        return is_one(example, prediction)

    found = compare_programs(answering(9), answering(5), ROWS, metric, max_errors=1)
    assert found.missing == 1 and found.claims.n == 79 and found.claims.finding == "better"


def test_inputs_that_are_read_alike_have_one_key() -> None:
    keys = InputKeys(lp.Predict("x: int -> y"))
    assert keys.of(lp.Example(x="7", y="a", id=1)) == keys.of(lp.Example(x=7, y="b", id=2))
    assert keys.of(lp.Example(x=7)) != keys.of(lp.Example(x=8))


PLUGIN_TEST = """
import langprog as lp


def test_loads(certified):
    program = certified("good.json", models={"scripted/lm": lp.ScriptedLM(["[[team]]\\na"])})
    assert program(ticket="x").team == "a"


def test_fails(certified):
    certified("bare.json")


def test_gate(assert_not_worse):
    import pytest
    with pytest.raises(AssertionError, match="not shown"):
        model = lp.ScriptedLM(lambda request: "[[team]]\\na")
        program = lp.Predict("ticket -> team", model=model)
        rows = [lp.Example(ticket=str(n), team="a") for n in range(9)]
        assert_not_worse(program, program, rows, lambda e, p: e.team == p.team)
"""


def test_the_plugin_gives_fixtures(pytester: pytest.Pytester, tmp_path: Path) -> None:
    program = lp.Predict("ticket -> team", model="scripted/lm")
    save_program(program, pytester.path / "bare.json")
    evidence = {"certificate": {"verdict": "certified", "reason": "It is."}}
    save_program(program, pytester.path / "good.json", evidence=evidence)
    assert json.loads((pytester.path / "good.json").read_text())["evidence"]
    pytester.makepyfile(PLUGIN_TEST)
    options = ["-p", "langprog.pytest_plugin"]
    plugins = pytester.runpytest_subprocess("--trace-config").stdout.str()
    result = pytester.runpytest_subprocess(
        *([] if "langprog.pytest_plugin" in plugins else options)
    )
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(["*bare.json is not certified (none): it has no evidence*"])
