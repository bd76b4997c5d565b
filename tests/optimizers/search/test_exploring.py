"""With few calls, the default optimizer is not behind plain sets of demonstrations."""

from __future__ import annotations

import pytest

import langprog as lp
from langprog.evaluation import exact
from langprog.lm import Request
from optimizers import BootstrapRandomSearch, Compiler, Optimizer
from optimizers.report.compiled import Compiled
from tests.optimizers.simulated import (
    TEAMS,
    always,
    answers,
    field,
    one_module,
    right_team,
    team_of,
    tickets,
    two_modules,
    unit,
)

MOST = 16


def reply(request: Request, each: float) -> str:
    """Answer as a model that is right more, or less, often with every demonstration."""
    ticket = field(request.messages[-1].text, "ticket")
    if "[[team]]" not in request.messages[0].text:
        return always(1.0)(request)
    shown = sum(message.role == "assistant" for message in request.messages)
    team = team_of(ticket)
    start = 0.2 if each > 0 else 0.85
    luck = 0.7 * unit(ticket) + 0.3 * unit(ticket, *(m.text for m in request.messages))
    right = luck < start + each * min(shown, MOST)
    return f"[[team]]\n{team if right else TEAMS[(TEAMS.index(team) + 1) % 3]}"


def compile_with(optimizer: Optimizer, each: float, calls: int = 300) -> Compiled:
    with lp.using(lm=lp.ScriptedLM(lambda request: reply(request, each))):
        return optimizer.compile(
            one_module(),
            tickets(60),
            valset=tickets(60, 1000),
            holdout=tickets(40, 2000),
            metric=right_team,
            budget=lp.Budget(calls=calls),
        )


def count_demos(compiled: Compiled) -> int:
    return len(compiled.candidate.apply(one_module()).predictors()["predict"].demos)


@pytest.fixture(scope="module")
def helped() -> Compiled:
    return compile_with(Compiler(), 0.04)


def test_where_demonstrations_help_as_many_ship_as_plain_sets_have(helped: Compiled) -> None:
    plain = compile_with(BootstrapRandomSearch(), 0.04)
    assert count_demos(helped) >= count_demos(plain) == MOST
    assert helped.certificate.verdict == "certified"


def test_the_calls_are_used_up(helped: Compiled) -> None:
    assert 0.85 * 300 <= helped.report.paid.calls <= 300


def test_each_value_is_tried_before_any_is_tried_again(helped: Compiled) -> None:
    sizes = next(each["data"] for each in helped.report.decisions if each["what"] == "0.space")
    trials = [each for each in helped.report.decisions if each["what"] == "0.trial"]
    assert len(trials) >= max(sizes.values()) - 1
    assert trials[0]["data"]["label"] == f"predict.demos={MOST} labelled"


def test_where_runs_alone_give_demonstrations_there_are_more_of_them() -> None:
    rows = [each.without("team") for each in tickets(120)]
    with lp.using(lm=lp.ScriptedLM(answers())):
        compiled = Compiler().compile(
            two_modules(), rows, metric=exact("urgent"), budget=lp.Budget(calls=300)
        )
    decisions = compiled.report.decisions
    assert next(each["data"] for each in decisions if each["what"] == "0.rollouts")["tried"] > 10


def test_where_demonstrations_hurt_none_ship() -> None:
    assert count_demos(compile_with(Compiler(), -0.04)) == 0


def test_very_few_calls_are_enough_to_try_demonstrations() -> None:
    assert count_demos(compile_with(Compiler(), 0.04, calls=150)) >= MOST // 2
