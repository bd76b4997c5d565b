"""Compiling programs with checks: demonstrations are of answers that passed."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path

import pytest

import langprog as lp
from langprog.errors import ArtifactError
from optimizers import BootstrapFewShot, Compiler
from optimizers.demos.traces import collect_traced
from optimizers.evaluation.scoring import ProgramError
from optimizers.identity import program_digest
from programs.tickets import Team, records
from tests.forking import COMPILING, Forking
from tests.optimizers import compile_once
from tests.optimizers.checked import Checked, answers_again, fits_the_words
from tests.optimizers.simulated import all_right, team_of, tickets

ROOT = Path(__file__).parents[2]
SHORT = lp.checks.length("summary", most=5)


def summarize(request: lp.Request) -> str:
    """Answer too long at first, unless a demonstration shows how it is done."""
    shown = any(message.content == "[[summary]]\nshort" for message in request.messages[:-1])
    again = str(request.messages[-1].content).startswith("That answer is not accepted")
    return f"[[summary]]\n{'short' if shown or again else 'much too long'}"


@pytest.mark.parametrize("how", ["check", "require"])
def test_a_demonstration_is_the_question_with_the_answer_that_passed(how: str) -> None:
    class Required(lp.Module):
        def __init__(self) -> None:
            self.step = lp.Predict("ticket -> summary")

        def forward(self, ticket: str) -> lp.Prediction:
            answer = self.step(ticket=ticket)
            lp.require(len(answer.summary) <= 5, "at most 5 characters")
            return answer

    program = (
        lp.Pipeline(step=lp.Predict("ticket -> summary", checks=[SHORT]))
        if how == "check"
        else Required()
    )
    rows = [lp.Example(ticket=f"t{number}") for number in range(30)]
    lm = lp.ScriptedLM(summarize)
    with lp.using(lm=lm):
        before = program(ticket="x")
        compiled = BootstrapFewShot(bootstrapped=3, labeled=0).compile(
            program, rows, metric=lambda example, prediction: prediction.summary == "short", seed=1
        )
        after = compiled.candidate.apply(program)(ticket="x")
    demos = compiled.candidate.apply(program).parameters()["step.demos"].value
    assert len(demos) == 3
    assert all(set(demo) == {"ticket", "summary"} and demo.summary == "short" for demo in demos)
    assert (before.usage.calls, before.usage.reasks) == (2, 1)
    assert (after.usage.calls, after.usage.reasks) == (1, 0)


def test_an_answer_that_fails_a_suggestion_is_not_shown() -> None:
    check = lp.checks.length("summary", most=5, level="suggest")
    program = lp.Predict("ticket -> summary", checks=[check], reasks=0)
    rows = [lp.Example(ticket=number) for number in "abc"]
    with lp.using(
        lm=lp.ScriptedLM(["[[summary]]\nshort", "[[summary]]\nlonger", "[[summary]]\nx"])
    ):
        report = lp.evaluate(program, rows, lambda example, prediction: 1.0, concurrency=1)
    demos = collect_traced(program, report.rows)["predict"]
    assert [item.demo.summary for item in demos] == ["short", "x"]


def test_a_program_with_checks_is_compiled_saved_and_loaded(tmp_path: Path) -> None:
    program = Checked()
    data = tickets(150)
    with lp.using(lm=lp.ScriptedLM(answers_again())):
        compiled = Compiler(rounds=1).compile(
            program, data, metric=all_right, budget=lp.Budget(calls=3000), seed=3
        )
        compiled.save(tmp_path / "p.json")
        with pytest.raises(ArtifactError):
            lp.load(tmp_path / "p.json")
        loaded = lp.load(tmp_path / "p.json", classes=[Checked])
        assert loaded.team.checks[0].function is fits_the_words
        assert loaded.team.reasks == 1
        report = lp.evaluate(loaded, data, all_right)
    for row in report.rows:
        if row.prediction is not None:  # whatever came out has passed
            assert not fits_the_words(row.example.ticket, row.prediction.team)
            assert row.prediction.team != "billing" or "invoice" in row.example.ticket
    assert report.failures_by_kind.keys() <= {"check"}
    for demo in loaded.team.demos:
        assert demo.team == team_of(demo.ticket) or not fits_the_words(demo.ticket, demo.team)


def test_the_width_changes_nothing(tmp_path: Path) -> None:
    results = []
    for width in (1, 64):
        with lp.using(lm=lp.ScriptedLM(answers_again())):
            compiled = BootstrapFewShot(concurrency=width).compile(
                Checked(), tickets(60), metric=all_right, seed=3
            )
        results.append(compiled.save(tmp_path / f"{width}.json"))
    assert results[0] == results[1]


def test_other_checks_make_another_program() -> None:
    programs = [
        lp.Predict("ticket -> summary", checks=checks, reasks=reasks)
        for checks, reasks in [
            ([], 2),
            ([SHORT], 2),
            ([SHORT], 1),
            ([lp.checks.length("summary", most=6)], 2),
            ([lp.checks.length("summary", most=5, message="x")], 2),
            ([lp.checks.length("summary", most=5, level="suggest")], 2),
            ([lp.Check(lambda summary: len(summary) < 5, "x")], 2),
            ([lp.Check(lambda summary: len(summary) < 6, "x")], 2),
        ]
    ]
    assert len({program_digest(program) for program in programs}) == len(programs)
    assert program_digest(lp.Predict("ticket -> summary", checks=[SHORT])) == program_digest(
        lp.Predict("ticket -> summary", checks=[lp.checks.length("summary", most=5)])
    )


# --- killed and resumed --------------------------------------------------------------------------


def compiling(run_dir: Path, calls: Path, width: int, delay: float = 0.0) -> list[str]:
    return ["mipro", str(run_dir), str(calls), str(width), str(delay), "0", "checked"]


def lines(path: Path, word: str) -> list[str]:
    text = path.read_text() if path.exists() else ""
    return [line.split()[1] for line in text.splitlines() if line.startswith(word)]


def test_killed_and_resumed_it_ends_the_same_and_pays_nothing_twice(
    tmp_path: Path, processes: Forking
) -> None:
    wanted = compile_once.main(*compiling(tmp_path / "whole", tmp_path / "whole-calls", 16))
    run_dir, calls, width = tmp_path / "killed", tmp_path / "calls", 8
    module = ["-m", compile_once.__name__]
    running = processes.start(
        [*module, *compiling(run_dir, calls, width, 0.002)], imports=COMPILING, folder=ROOT
    )
    while running.poll() is None and len(lines(calls, "done")) < 90:
        time.sleep(0.01)
    running.kill()
    running.wait()
    assert compile_once.main(*compiling(run_dir, calls, width)) == wanted
    asked = Counter(lines(calls, "asked"))
    assert sum(count - 1 for count in asked.values()) <= width
    assert set(asked) == set(lines(tmp_path / "whole-calls", "asked"))


# --- with the embedded model ---------------------------------------------------------------------


def money_goes_to_harbor(ticket: str, team: str) -> bool:
    about_money = any(word in ticket for word in ("invoice", "paid", "bill", "charged", "money"))
    return team == "harbor" or not about_money


def right_team(example: lp.Example, prediction: lp.Prediction) -> bool:
    return bool(example.team == prediction.team)


def test_the_embedded_model_is_compiled_with_checks_end_to_end(tmp_path: Path) -> None:
    checks = [lp.Check(money_goes_to_harbor, "harbor gets what is about money")]
    program = lp.Predict(Team, checks=checks, reasks=1, model="pocket/small")
    rows = lp.load_examples(records("train"))[:40]
    before = lp.evaluate(program, rows, right_team)
    compiled = BootstrapFewShot(bootstrapped=2, labeled=2).compile(
        program, rows, metric=right_team, seed=1
    )
    lp.save(compiled.candidate.apply(program), tmp_path / "p.json")
    loaded = lp.load(
        tmp_path / "p.json", classes=[Team], checks={"money_goes_to_harbor": money_goes_to_harbor}
    )
    after = lp.evaluate(loaded, rows, right_team)
    assert loaded.demos and before.reasks > after.reasks
    assert before.failures_by_kind.get("check", 0) > 0
    for row in (*before.rows, *after.rows):
        if row.prediction is not None:
            assert money_goes_to_harbor(row.example.ticket, row.prediction.team)


def test_a_check_that_no_answer_passes_ends_a_compile_in_its_own_words() -> None:
    program = lp.Predict("ticket -> summary", checks=[SHORT])
    rows = [lp.Example(ticket=f"t{number}", summary="much too long") for number in range(30)]
    with (
        lp.using(lm=lp.ScriptedLM(lambda request: "[[summary]]\nmuch too long")),
        pytest.raises(ProgramError, match="no answer passed the checks.*level='suggest'") as error,
    ):
        BootstrapFewShot().compile(program, rows, metric=lambda example, prediction: 1.0)
    assert "be read" not in str(error.value)
