"""How often to ask, found from few samples of a simulated model."""

from __future__ import annotations

from pathlib import Path

import pytest

import langprog as lp
from langprog.errors import InputError
from langprog.lm import Completion, Request, Usage
from optimizers import VoteSize
from tests.optimizers.simulated import (
    TEAMS,
    field,
    one_module,
    right_team,
    team_of,
    tickets,
    unit,
)


def model(easy: float, chances: tuple[float, float], judge: tuple[float, float] = (1, 0)):
    """Return a model: a share of easy tickets, and how often it is right on easy and hard ones.

    As a judge it accepts so many of the right answers, and of the wrong ones.
    """

    def reply(request: Request) -> Completion:
        system, last = request.messages[0].content, request.messages[-1].content
        ticket, seed = field(last, "ticket"), str(request.sampling.seed)
        team = team_of(ticket)
        if "[[good]]" in system:
            accepts = judge[0] if field(last, "team") == team else judge[1]
            text = f"[[good]]\n{'true' if unit(last, 'judge') < accepts else 'false'}"
        else:
            chance = chances[0] if unit(ticket, "easy") < easy else chances[1]
            wrong = TEAMS[(TEAMS.index(team) + 1) % 3]
            text = f"[[team]]\n{team if unit(ticket, seed) < chance else wrong}"
        return Completion((text,), "scripted/lm", Usage(10, 2), dollars=0.001)

    return lp.ScriptedLM(reply)


def compiled(program: lp.Module, lm: lp.ScriptedLM, optimizer: VoteSize, **options):
    with lp.using(lm=lm):
        rows = tickets(options.pop("rows", 400))
        return optimizer.compile(program, rows, metric=right_team, **options)


JUDGE = lp.Predict("ticket, team -> good: bool")


def test_voting_pays_where_most_items_are_easy() -> None:
    result = compiled(lp.Vote(one_module(), k=1), model(0.9, (0.75, 0.3)), VoteSize())
    assert result.program.k >= 5
    assert result.certificate.verdict == "certified"
    (note,) = [note.text for note in result.report.notes if "expected accuracy" in note.text]
    expected = float(note.split(f" at k={result.program.k}")[0].rsplit(" ", 1)[-1])
    assert expected == pytest.approx(result.certificate.after.mean, abs=0.12)


def test_where_a_vote_hurts_it_says_do_not_vote() -> None:
    result = compiled(lp.Vote(one_module(), k=9), model(0.4, (0.95, 0.35)), VoteSize(), seed=2)
    assert result.program.k == 1
    assert any("do not vote" in note.text for note in result.report.notes)
    certificate = result.certificate
    assert certificate.cost_after.calls == 1 and certificate.cost_before.calls > 4
    assert certificate.verdict == "certified"


def test_a_cap_keeps_the_vote_small() -> None:
    program = lp.Vote(one_module(), k=1)
    result = compiled(program, model(0.9, (0.75, 0.3)), VoteSize(cap=0.0035), accept="best")
    assert result.program.k == 3


def test_a_judge_that_tells_right_from_wrong_pays_and_one_that_cannot_does_not() -> None:
    lm = model(1.0, (0.6, 0.6), judge=(0.95, 0.05))
    result = compiled(lp.BestOf(one_module(), judge=JUDGE, k=1), lm, VoteSize())
    assert result.program.k >= 3
    assert result.certificate.after.mean > 0.8
    lm = model(1.0, (0.6, 0.6), judge=(0.5, 0.5))
    blind = compiled(lp.BestOf(one_module(), judge=JUDGE, k=5), lm, VoteSize(), accept="best")
    assert blind.program.k == 1
    assert any("the judge does not pay" in note.text for note in blind.report.notes)


def test_a_judge_whose_inputs_nobody_knows_is_left_alone() -> None:
    class Inner(lp.Module):
        signature = "ticket -> team"

        def __init__(self) -> None:
            picked = lp.Predict("ticket, hint -> team")
            self.pick = lp.BestOf(picked, judge=JUDGE, k=4)

        async def aforward(self, ticket):
            return await self.pick.acall(ticket=ticket, hint="none")

    result = compiled(Inner(), model(1.0, (0.6, 0.6)), VoteSize(), accept="best")
    assert result.candidate.parameters == {}
    assert any("was not tested" in note.text for note in result.report.notes)


def test_it_resumes_free_keeps_its_budget_and_does_not_depend_on_width(tmp_path: Path) -> None:
    def compiled_on_few(lm: lp.ScriptedLM, optimizer: VoteSize, **options):
        return compiled(lp.Vote(one_module(), k=1), lm, optimizer, rows=120, **options)

    first = compiled_on_few(model(0.9, (0.75, 0.3)), VoteSize(), run_dir=tmp_path)
    lm = model(0.9, (0.75, 0.3))
    again = compiled_on_few(lm, VoteSize(), run_dir=tmp_path)
    assert lm.calls == 0 and again.candidate == first.candidate
    narrow = compiled_on_few(model(0.9, (0.75, 0.3)), VoteSize(concurrency=1))
    assert narrow.candidate == first.candidate
    lm = model(0.9, (0.75, 0.3))
    small = compiled_on_few(lm, VoteSize(), budget=lp.Budget(calls=300))
    assert lm.calls <= 300 and small.certificate.n >= 5


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"draws": 1}, "draws has to be a whole number from 2"),
        ({"samples": 20}, "at least 10 times"),
        ({"sizes": (0, 3)}, "each a whole number from 1 to 150"),
        ({"cap": 0}, "cap has to be a number above 0"),
    ],
)
def test_what_does_not_fit_is_said(options: dict[str, object], told: str) -> None:
    with pytest.raises(InputError, match=told):
        VoteSize(**options)  # type: ignore[arg-type]  # wrong on purpose


def test_a_program_without_a_vote_is_told_how_to_get_one() -> None:
    with pytest.raises(InputError, match="lp.Vote"):
        compiled(one_module(), model(1, (1, 1)), VoteSize())
