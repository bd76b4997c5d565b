"""Clauses that helped are found in the scores of whole candidates, and put together."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field

import langprog as lp
from langprog.lm import Request
from optimizers import Optimizer
from optimizers.budget.forecast import ForecastInputs, StageForecast
from optimizers.evaluation.candidate import Candidate
from optimizers.evaluation.scorer import ScoreRequest
from optimizers.identity import OPERATIONAL
from optimizers.instructions.crediting import Credit, credit_clauses, recombine_instructions
from optimizers.run import Run
from tests.optimizers.simulated import TEAMS, one_module, right_team, team_of, tickets, unit
from tests.optimizers.simulated import field as field_of

HELPFUL = ("Look at the verbs.", "Compare with old tickets.")
HARMFUL = "Answer at once."
USELESS = ("Be polite.", "Stay calm.", "Use plain words.")
TASK = "Name the team."


@dataclass(frozen=True, kw_only=True)
class Crediting(Optimizer):
    """Score some instructions on a few rows each, and credit their clauses."""

    texts: Sequence[str] = ()
    credited: dict[str, Credit] = field(default_factory=dict, metadata={OPERATIONAL: True})
    recombined: list[str] = field(default_factory=list, metadata={OPERATIONAL: True})

    def forecast(self, facts: ForecastInputs) -> tuple[StageForecast, ...]:
        return ()

    async def search(self, run: Run) -> Candidate:
        tried = [run.make_candidate({"predict.instruction": text}) for text in self.texts]
        await run.score([ScoreRequest(each, range(30)) for each in (run.start, *tried)])
        self.credited.update(credit_clauses(run, "predict"))
        self.recombined.extend(recombine_instructions(run, "predict", 3))
        return run.start


def reply(request: Request) -> str:
    system, last = request.messages[0].content, request.messages[-1].content
    ticket = field_of(last, "ticket")
    right = 0.4 + 0.25 * sum(text in system for text in HELPFUL) - 0.25 * (HARMFUL in system)
    team = team_of(ticket)
    lucky = unit(ticket, system) < right
    return f"[[team]]\n{team if lucky else TEAMS[(TEAMS.index(team) + 1) % 3]}"


def credit(texts: Sequence[str]) -> Crediting:
    optimizer = Crediting(texts=texts)
    with lp.using(lm=lp.ScriptedLM(reply)):
        optimizer.compile(
            one_module(),
            tickets(20),
            valset=tickets(40, 1000),
            holdout=tickets(20, 2000),
            metric=right_team,
        )
    return optimizer


def test_clauses_are_told_apart_although_none_was_tried_alone() -> None:
    pairs = itertools.combinations((*HELPFUL, HARMFUL, *USELESS), 2)
    found = credit([f"{TASK} {first} {second}" for first, second in pairs])
    effects = {each.clause.text: each.effect for each in found.credited.values()}
    assert sorted(effects, key=effects.__getitem__)[0] == HARMFUL
    assert min(effects[text] for text in HELPFUL) > max(effects[text] for text in USELESS)
    # Both helpful clauses are in one instruction, which begins as one of those before does.
    best = found.recombined[0]
    assert best.startswith((TASK, "Read the ticket."))
    assert all(text in best for text in HELPFUL)
    assert all(HARMFUL not in text for text in found.recombined)
    assert len(set(found.recombined)) == len(found.recombined) <= 3


def test_few_candidates_say_nothing() -> None:
    found = credit([f"{TASK} {text}" for text in USELESS])
    assert found.credited == {} and found.recombined == []
