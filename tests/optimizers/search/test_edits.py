"""Parts that helped are found in the scores of whole candidates, and put together."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import pytest

import langprog as lp
from langprog.lm import Request
from optimizers import Compiler, Optimizer, Structuring
from optimizers.budget.forecast import ForecastInputs, StageForecast
from optimizers.evaluation.candidate import Candidate
from optimizers.evaluation.scorer import ScoreRequest
from optimizers.pipeline import run_search
from optimizers.report.compiled import Compiled
from optimizers.run import Run
from optimizers.search.edits import EditSearch
from tests.optimizers.simulated import (
    TEAMS,
    answers,
    one_module,
    right_team,
    team_of,
    tickets,
    unit,
)
from tests.optimizers.simulated import field as field_of

HELPFUL = ("Look at the verbs.", "Compare with old tickets.")
HARMFUL = "Answer at once."
USELESS = ("Be polite.", "Stay calm.", "Use plain words.")
TASK = "Name the team."
CERTIFICATE = 20  # calls, where both programs are the same
PAIRS = [f"{TASK} {a} {b}" for a, b in itertools.combinations((*HELPFUL, HARMFUL, *USELESS), 2)]
APART = PAIRS[1:]  # without the one that has both helpful clauses


@dataclass(frozen=True, kw_only=True)
class Editing(Optimizer):
    """Try some instructions on few rows each, and edit them."""

    texts: Sequence[str] = ()
    rows: int = 10
    written: Sequence[str] = ()
    most_words: int = 250

    def forecast(self, facts: ForecastInputs) -> tuple[StageForecast, ...]:
        return EditSearch().forecast(facts)

    async def search(self, run: Run) -> Candidate:
        tried = [run.make_candidate({"predict.instruction": text}) for text in self.texts]
        await run.score_fully([run.start])
        await run.score([ScoreRequest(each, range(self.rows)) for each in tried])
        part = run.make_child("edits", run.start, 1.0)
        return await run_search(EditSearch(written=self.written, most_words=self.most_words), part)


def reply(request: Request) -> str:
    system, last = request.messages[0].text, request.messages[-1].text
    ticket = field_of(last, "ticket")
    right = 0.4 + 0.25 * sum(text in system for text in HELPFUL) - 0.25 * (HARMFUL in system)
    team = team_of(ticket)
    lucky = 0.5 * unit(ticket) + 0.5 * unit(ticket, system) < right
    return f"[[team]]\n{team if lucky else TEAMS[(TEAMS.index(team) + 1) % 3]}"


def edit(optimizer: Optimizer, budget: lp.Budget | None = None) -> tuple[Compiled, int]:
    lm = lp.ScriptedLM(reply)
    with lp.using(lm=lm):
        compiled = optimizer.compile(
            one_module(),
            tickets(20),
            valset=tickets(60, 1000),
            holdout=tickets(20, 2000),
            metric=right_team,
            accept="best",
            budget=budget,
        )
    return compiled, lm.calls


@pytest.fixture(scope="module")
def edited() -> Compiled:
    return edit(Editing(texts=APART))[0]


def test_clauses_that_helped_apart_are_put_together(edited: Compiled) -> None:
    chosen = edited.candidate.parameters["predict.instruction"]
    assert all(text in chosen for text in HELPFUL) and HARMFUL not in chosen


def test_the_same_seed_edits_in_the_same_way(edited: Compiled) -> None:
    assert edit(Editing(texts=APART))[0].candidate == edited.candidate


def test_what_was_chosen_was_scored_on_all_of_validation(edited: Compiled) -> None:
    finals = [each["data"] for each in edited.report.decisions if each["what"] == "edits.trial"]
    digests = {each["digest"]: each["n"] for each in finals}
    assert digests[edited.candidate.digest] == 60
    assert max(finals, key=lambda each: each["credit"])["digest"] == edited.candidate.digest


def test_where_nothing_was_tried_nothing_is_edited() -> None:
    none, calls = edit(Editing())
    assert none.candidate == Candidate() and calls == 60 + CERTIFICATE


def test_written_instructions_are_not_taken_apart() -> None:
    compiled, _ = edit(Editing(texts=PAIRS, written=["predict"]))
    assert compiled.candidate.parameters["predict.instruction"] == PAIRS[0]
    assert all(text in PAIRS[0] for text in HELPFUL)


def test_no_instruction_gets_longer_than_allowed() -> None:
    compiled, _ = edit(Editing(texts=APART, most_words=9))
    assert len(compiled.candidate.parameters["predict.instruction"].split()) <= 9


def test_a_cap_holds() -> None:
    compiled, calls = edit(Editing(texts=PAIRS), lp.Budget(calls=420))
    assert calls == compiled.report.paid.calls <= 420
    assert compiled.certificate.n == 20


@pytest.mark.parametrize(("calls", "races"), [(2000, True), (330, False)])
def test_edits_follow_a_race_or_where_the_budget_is_small_a_few_points(
    calls: int, races: bool
) -> None:
    with lp.using(lm=lp.ScriptedLM(answers(base=0.05, per_prompt=0.6))):
        compiled = Compiler(structuring=Structuring(share=0)).compile(
            one_module(), tickets(200), metric=right_team, budget=lp.Budget(calls=calls)
        )
    said = {each["what"] for each in compiled.report.decisions}
    assert {"0.edits.trial"} < said and ("0.importance" in said) is races


@dataclass(frozen=True, kw_only=True)
class EditingFew(Editing):
    """Try the program's own instruction on few rows, too."""

    prune: bool = True

    async def search(self, run: Run) -> Candidate:
        tried = [run.make_candidate({"predict.instruction": text}) for text in self.texts]
        await run.score([ScoreRequest(each, range(self.rows)) for each in (run.start, *tried)])
        part = run.make_child("edits", run.start, 1.0)
        return await run_search(EditSearch(prune=self.prune), part)


def edit_nonsense(salt: str, *, prune: bool = True) -> Compiled:
    """Compile where every proposal harms a little, and some are lucky on few rows."""
    nonsense = [f"The {a} of the {b} is {c}." for a, b, c in itertools.permutations("xyz", 3)][:4]

    def harmed(request: Request) -> str:
        system, last = request.messages[0].text, request.messages[-1].text
        ticket = field_of(last, "ticket")
        right = 0.55 - 0.08 * any(text in system for text in nonsense)
        team = team_of(ticket)
        lucky = 0.5 * unit(ticket, salt) + 0.5 * unit(ticket, system, salt) < right
        return f"[[team]]\n{team if lucky else TEAMS[(TEAMS.index(team) + 1) % 3]}"

    with lp.using(lm=lp.ScriptedLM(harmed)):
        return EditingFew(texts=nonsense, rows=12, prune=prune).compile(
            one_module(),
            tickets(20),
            valset=tickets(60, 1000),
            holdout=tickets(20, 2000),
            metric=right_team,
            accept="best",
        )


@pytest.mark.parametrize("salt", ["1", "10", "14", "21", "23", "25"])
def test_where_every_proposal_harms_a_little_the_instruction_stays(salt: str) -> None:
    assert "predict.instruction" not in edit_nonsense(salt).candidate.parameters


def test_without_pruning_a_lucky_instruction_is_not_put_back() -> None:
    compiled = edit_nonsense("1", prune=False)
    assert "predict.instruction" in compiled.candidate.parameters


def test_it_is_said_that_the_instruction_was_put_back() -> None:
    said = [note.text for note in edit_nonsense("1").report.notes]
    assert any("the program's own" in text for text in said)
