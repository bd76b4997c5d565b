"""Every member leaves frozen parts as they are."""

from __future__ import annotations

import pytest

import langprog as lp
from langprog.errors import InputError
from optimizers import LabeledFewShot, VoteSize
from tests.optimizers.members import MEMBERS, fitting
from tests.optimizers.simulated import (
    Urgency,
    all_right,
    answers,
    one_module,
    right_team,
    tickets,
    two_modules,
)

SEARCHED = ("instruction", "demos", "k", "threshold", "choice")


def settings(program: lp.Module, prefix: str) -> dict[str, object]:
    """Return what a search may set on a part; models are bound to it in any case."""
    return {
        key: parameter.value
        for key, parameter in program.parameters().items()
        if key.startswith(prefix) and parameter.kind in SEARCHED
    }


def compile_with(optimizer, program: lp.Module, lm: lp.ScriptedLM | None = None, rows: int = 90):
    with lp.using(lm=lm or lp.ScriptedLM(answers())):
        return optimizer.compile(
            program,
            tickets(rows),
            metric=all_right,
            accept="best",
            budget=lp.Budget(calls=10 * rows),
        )


@pytest.mark.parametrize("member", sorted(MEMBERS))
def test_no_candidate_sets_anything_on_a_frozen_part(member: str) -> None:
    optimizer = MEMBERS[member]()
    program = fitting(optimizer, two_modules()).freeze("team")
    result = compile_with(optimizer, program, rows=45)
    assert not [key for key in result.candidate.parameters if key.startswith("team")]
    assert settings(result.program, "team") == settings(program, "team")
    assert any("frozen and left unchanged: team" in note.text for note in result.report.notes)
    for point in result.front:
        assert settings(point.program, "team") == settings(program, "team")


@pytest.mark.parametrize("member", ["labeled", "few_shot", "mipro", "compiler", "gepa"])
def test_the_rest_is_still_improved(member: str) -> None:
    result = compile_with(MEMBERS[member](), two_modules().freeze("urgent"))
    assert any(key.startswith("team.") for key in result.candidate.parameters)


def test_what_was_frozen_stays_frozen_in_what_comes_back() -> None:
    lm = lp.ScriptedLM(answers())
    first = compile_with(LabeledFewShot(), two_modules().freeze("team"), lm).program
    again = compile_with(LabeledFewShot(k=3), first, lm)
    assert again.program.frozen and again.program.frozen_parts() == ("team",)
    assert not [key for key in again.candidate.parameters if key.startswith("team")]


def test_a_program_of_frozen_parts_is_refused_before_any_call() -> None:
    lm = lp.ScriptedLM(answers())
    program = two_modules().freeze("team", "urgent")
    with lp.using(lm=lm), pytest.raises(InputError, match=r"nothing to compile.*team, urgent"):
        LabeledFewShot().compile(program, tickets(90), metric=all_right)
    assert lm.calls == 0


def test_a_program_that_is_frozen_as_a_whole_is_compiled() -> None:
    result = compile_with(LabeledFewShot(k=3), two_modules().freeze())
    assert len(result.program.predictors()["team"].demos) == 3


def test_a_frozen_vote_keeps_its_size() -> None:
    votes = VoteSize(samples=30, draws=3)
    program = lp.Pipeline(team=lp.Vote(one_module(), k=3), urgent=lp.Predict(Urgency))
    with lp.using(lm=lp.ScriptedLM(answers())):
        inside = program.freeze("team.module")
        result = votes.compile(inside, tickets(90), metric=right_team)
        assert "team.k" in result.candidate.parameters
        with pytest.raises(InputError, match="no Vote"):
            votes.compile(program.freeze("team"), tickets(90), metric=right_team)
