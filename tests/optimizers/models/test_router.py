"""Routes fitted on simulated models that are good at different inputs."""

from __future__ import annotations

from functools import cache

import pytest

import langprog as lp
from langprog.errors import InputError
from langprog.lm import Completion, Request, Usage
from optimizers import Compiled, ModelRouter, with_model
from tests.optimizers.simulated import field, one_module, right_team, team_of, tickets, unit

# How often a model is right on each team's tickets, and its price.
MODELS = {
    "cheap": ({"billing": 0.95, "network": 0.3, "accounts": 0.95}, 0.0001),
    "dear": ({"billing": 0.95, "network": 0.95, "accounts": 0.95}, 0.002),
    "new": ({"billing": 0.2, "network": 1.0, "accounts": 0.2}, 0.00005),
}


def model(name: str) -> lp.ScriptedLM:
    skills, price = MODELS[name]

    def reply(request: Request) -> Completion:
        ticket = field(request.messages[-1].content, "ticket")
        team = team_of(ticket)
        if unit(ticket, name) >= skills[team]:
            team = "billing" if team != "billing" else "network"
        return Completion((f"[[team]]\n{team}",), f"scripted/{name}", Usage(9, 2), dollars=price)

    return lp.ScriptedLM(reply, name=f"scripted/{name}")


def compiled(optimizer: ModelRouter, rows: int = 360, **options):
    route = lp.Route.over(one_module(), ["scripted/cheap", "scripted/dear"])
    with lp.using(models=[model("cheap"), model("dear")]):
        return optimizer.compile(route, tickets(rows), metric=right_team, **options)


@cache
def routed() -> Compiled:
    """Return what a compile gives: two tests look at it."""
    return compiled(ModelRouter())


def test_inputs_go_to_the_cheapest_model_that_can_do_them() -> None:
    result = routed()
    assert result.certificate.verdict == "certified", result.certificate
    before, after = result.certificate.cost_before, result.certificate.cost_after
    assert after.dollars < 0.6 * before.dollars
    assert result.certificate.after.mean > 0.88
    with lp.using(models=[model("cheap"), model("dear")]):
        steps = {
            row.team: result.program(ticket=row.ticket).trace[0].outputs["step"]
            for row in tickets(3, start=900)
        }
    assert steps == {"billing": 0, "accounts": 0, "network": 1}


def test_a_cap_on_the_mean_price_of_a_query() -> None:
    result = compiled(ModelRouter(cap=0.00011), accept="best")
    assert result.certificate.cost_after.dollars <= 0.00012
    none = compiled(ModelRouter(cap=0.00001), rows=90)
    assert none.candidate.parameters == {}


def test_a_model_never_seen_in_training_is_added_from_few_results() -> None:
    route = routed().program
    new = model("new")
    step = lp.Predict(one_module().signature, model="scripted/new")
    with lp.using(models=[model("cheap"), model("dear"), new]):
        wider = with_model(route, step, tickets(360), right_team, per_cluster=50)
        assert new.calls <= 50 * len(wider.router.centers)
        fresh = tickets(60, start=2000)
        answers = [wider(ticket=row.ticket) for row in fresh]
    picked = {
        row.team: run.trace[0].outputs["step"] for row, run in zip(fresh, answers, strict=True)
    }
    assert picked["network"] == 2 and picked["billing"] == 0
    right = sum(row.team == run.team for row, run in zip(fresh, answers, strict=True)) / 60
    assert right > 0.85


def test_what_does_not_fit_is_said() -> None:
    with lp.using(lm=model("cheap")), pytest.raises(InputError, match="Route.over"):
        ModelRouter().compile(one_module(), tickets(90), metric=right_team)
    with pytest.raises(InputError, match="clusters has to be a list of one or more values"):
        ModelRouter(clusters=(0,))
    with pytest.raises(InputError, match="cap has to be a number above 0"):
        ModelRouter(cap=-1.0)
    with pytest.raises(InputError, match="no router yet"):
        with_model(lp.Route([one_module()]), one_module(), tickets(9), right_team)
