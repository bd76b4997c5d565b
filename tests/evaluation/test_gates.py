"""Checks that hold a team's prompts to their evidence."""

from __future__ import annotations

import json
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest

import langprog as lp
from langprog.artifact import save_program
from langprog.errors import BudgetExceeded, InputError, LangprogError, ServerError
from langprog.evaluation import InputKeys, assert_not_worse, compare_programs, macro_f1

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
    installed = any(point.name == "langprog" for point in entry_points(group="pytest11"))
    options = [] if installed else ["-p", "langprog.pytest_plugin"]
    # The other plugins of this environment take long to import, and are not what is tested.
    others = ["-p", "no:anyio", "-p", "no:hypothesispytest", "-p", "no:xdist"]
    result = pytester.runpytest_subprocess(*options, *others)
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(["*bare.json is not certified (none): it has no evidence*"])


class Broken(lp.Module):
    """Raises after its predictor has answered."""

    def __init__(self, error: Exception) -> None:
        self.answer = answering(10)
        self.error = error

    def forward(self, x: str) -> lp.Prediction:
        self.answer(x=x)
        raise self.error


def failing_from(start: int, error: Exception, name: str = "late") -> lp.Predict:
    """A program whose model fails from a row on."""

    def reply(request: lp.Request) -> str | Exception:
        number = int(str(request.messages[-1].content).rpartition("row ")[2].split()[0])
        return error if number >= start else "[[y]]\n1"

    return lp.Predict("x -> y: int", model=lp.ScriptedLM(reply, name=f"scripted/{name}"))


def unreadable(name: str = "u") -> lp.Predict:
    return lp.Predict("x -> y: int", model=lp.ScriptedLM(lambda r: "hm", name=f"scripted/{name}"))


@pytest.mark.parametrize(
    ("program", "baseline", "said"),
    [
        (Broken(KeyError("bug")), Broken(KeyError("bug")), "runs, 20 of 20 .*bug"),
        (Broken(KeyError("bug")), answering(10), "program's runs, 20 of 20 .*KeyError: 'bug'"),
        (answering(10), Broken(ConnectionError("down")), "baseline's runs, 20 of 20 .*down"),
        (unreadable(), unreadable("v"), "both programs' runs, 20 of 20 .*parse"),
        (failing_from(60, ServerError("503", model="m")), answering(10), "20 of 80 examples have"),
    ],
)
def test_where_runs_fail_nothing_is_shown(
    program: lp.Module, baseline: lp.Module, said: str
) -> None:
    for check in (assert_not_worse, compare_programs):
        with pytest.raises(LangprogError, match=said):
            check(program, baseline, ROWS, is_one)


def test_runs_that_fail_in_one_way_stop_the_comparison() -> None:
    broken = Broken(KeyError("bug"))
    rows = [lp.Example(x=f"row {n} ", y=1) for n in range(1000)]
    with pytest.raises(LangprogError, match="20 of 20 runs failed"):
        compare_programs(broken, broken, rows, is_one, concurrency=8)
    model = broken.answer.model
    assert model is not None and model.lm is not None and model.lm.calls < 100


def test_an_unreadable_program_is_worse_and_an_unreadable_baseline_is_beaten() -> None:
    assert compare_programs(unreadable(), answering(9), ROWS, is_one).claims.finding == "worse"
    assert compare_programs(answering(9), unreadable(), ROWS, is_one).claims.finding == "better"


def test_a_budget_that_ends_shows_nothing() -> None:
    for check in (assert_not_worse, compare_programs):
        with pytest.raises(BudgetExceeded, match="ended before every example"):
            check(answering(9), answering(9, "n"), ROWS, is_one, budget=lp.Budget(calls=130))


def test_a_score_that_only_the_program_lacks_counts_against_it() -> None:
    slow = failing_from(75, ServerError("503", model="m"))
    with pytest.raises(AssertionError, match="it may lose"):
        assert_not_worse(slow, answering(10), ROWS, is_one)
    found = compare_programs(slow, answering(10), ROWS, is_one)
    assert (found.missing, found.claims.n) == (5, 75) and found.claims.low < -0.05
    assert "missing=5 (transport: 503)" in str(found)


def test_a_score_of_a_whole_data_set_is_refused() -> None:
    for check in (assert_not_worse, compare_programs):
        with pytest.raises(InputError, match=r"macro_f1\(y\) is a score of the whole data set"):
            check(answering(9), answering(9, "n"), ROWS, macro_f1("y"))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"objective": "speed"}, "objective has to be one of 'quality'"),
        ({"tolerance": "x"}, "tolerance has to be a number"),
        ({"tolerance": float("nan")}, "tolerance has to be a number"),
        ({"concurrency": 0}, "concurrency has to be a whole number"),
        ({"max_errors": float("nan")}, "max_errors has to be a whole number"),
        ({"max_errors": "3"}, "max_errors has to be a whole number"),
        ({"data": None}, "give a list of examples"),
    ],
)
def test_bad_options_are_one_sentence(options: dict[str, Any], said: str) -> None:
    given = {"data": ROWS, **options}
    with pytest.raises(InputError, match=said):
        compare_programs(answering(9), answering(9, "n"), metric=is_one, **given)


def test_a_data_frame_is_taken() -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame([row.to_dict() for row in ROWS])
    assert compare_programs(answering(9), answering(5), frame, is_one).claims.n == 80


@pytest.mark.parametrize("tolerance", ["x", 0, -0.1, None])
def test_a_tolerance_is_a_number_above_zero(tolerance: Any) -> None:
    with pytest.raises(InputError, match="tolerance has to be a number above 0"):
        assert_not_worse(answering(9), answering(9), ROWS, is_one, tolerance=tolerance)


def test_a_tolerance_that_nothing_could_exceed_is_refused_before_anything_is_run() -> None:
    program = answering(9)
    for check in (assert_not_worse, compare_programs):
        with pytest.raises(InputError, match="lie between 0 and 1.*give less than 1"):
            check(program, program, ROWS, is_one, tolerance=1)
    assert program.model is not None and program.model.lm is not None
    assert program.model.lm.calls == 0


def test_too_few_inputs_are_said_before_anything_is_run() -> None:
    program = answering(9)
    with pytest.raises(AssertionError, match=r"20 different inputs.*\(nothing was run\)"):
        assert_not_worse(program, answering(9, "n"), ROWS[:20] * 4, is_one)
    assert program.model is not None and program.model.lm is not None
    assert program.model.lm.calls == 0


def test_what_is_no_program_cannot_be_compared() -> None:
    for check in (assert_not_worse, compare_programs):
        with pytest.raises(InputError, match="a list cannot be compared: give two programs"):
            check(answering(9), ROWS, answering(9), is_one)  # type: ignore[arg-type]  # the mistake


def test_rows_that_the_baseline_cannot_tell_apart_count_once() -> None:
    """A program that also reads the id sees 80 inputs, and the baseline only two."""
    rows = [lp.Example(x=f"row {n % 2} ", id=str(n), y=1) for n in range(80)]
    model = lp.ScriptedLM(lambda request: "[[y]]\n1", name="scripted/id")
    reads_id = lp.Predict("x, id -> y: int", model=model)
    never = answering(0)
    for program, baseline in ((reads_id, never), (never, reads_id)):
        compared = compare_programs(program, baseline, rows, is_one)
        assert compared.claims.n == 2 and compared.claims.finding == "cannot tell"
        before, after = (lp.evaluate(each, rows, is_one) for each in (baseline, program))
        assert lp.compare(before, after).n == 2


def test_the_sentence_says_what_was_shown() -> None:
    passed = assert_not_worse(answering(9), answering(9, "n"), ROWS, is_one)
    assert str(passed).endswith(": cannot tell (not worse by more than 0.05: shown)")
