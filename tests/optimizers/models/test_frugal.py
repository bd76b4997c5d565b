"""Cascades fitted on a simulated pair of models, one cheap and one dear."""

from __future__ import annotations

import math
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import langprog as lp
from langprog.errors import ConnectError, InputError, ModelError
from langprog.lm import Completion, Request, Usage
from optimizers import Chain, FrugalCascade, LabeledFewShot
from tests.optimizers.simulated import field, one_module, right_team, team_of, tickets, unit

SKILL = {"cheap": 0.6, "dear": 0.95}
PRICE = {"cheap": 0.0001, "dear": 0.002}


def model(name: str, *, priced: bool = True, broken: str = "") -> lp.ScriptedLM:
    """Return a model that is surer of what it gets right; it can fail on some inputs."""

    def reply(request: Request) -> Completion | Exception:
        system, last = request.messages[0].content, request.messages[-1].content
        ticket = field(last, "ticket")
        if broken and broken in ticket:
            return ConnectError("reset")
        right = unit(ticket, name) < SKILL[name]
        if "[[right]]" in system:
            said = field(last, "team") == team_of(ticket)
            text = f"[[right]]\n{'true' if said else 'false'}"
        else:
            team = team_of(ticket)
            if not right:
                team = "billing" if team != "billing" else "network"
            text = f"[[team]]\n{team}"
        blur = 0.3 * unit(ticket, name, "blur")
        certain = 0.95 - blur if right else 0.75 - blur
        return Completion(
            (text,),
            f"scripted/{name}",
            Usage(10, 2),
            logprobs=((0.0, math.log(certain)),) if request.logprobs else None,
            dollars=PRICE[name] if priced else None,
        )

    return lp.ScriptedLM(reply, name=f"scripted/{name}")


def compiled(optimizer: FrugalCascade | Chain, count: int = 300, **options):
    models = options.pop("models", None) or [model("cheap"), model("dear")]
    check = lp.Predict("ticket, team -> right: bool", model="scripted/cheap")
    cascade = lp.Cascade.over(one_module(), ["scripted/cheap", "scripted/dear"], check=check)
    with lp.using(models=models):
        return optimizer.compile(cascade, tickets(count), metric=right_team, **options)


@cache
def fitted(signal: Any) -> Any:
    """Return what a fit gives: several tests look at it."""
    return compiled(FrugalCascade(signal=signal), accept="best")


@pytest.mark.parametrize("signal", [lp.signals.LogProbability(), "check", "learned"])
def test_a_cascade_is_as_good_as_the_dear_model_for_less(signal: Any) -> None:
    result = fitted(signal)
    certificate = result.certificate
    # It costs less in all; whether most queries cost less depends on how many are passed on.
    assert certificate.claims[0].name == "not worse" and certificate.claims[0].holds, certificate
    assert certificate.after.mean >= certificate.before.mean - 0.05
    assert certificate.cost_after.dollars < 0.7 * certificate.cost_before.dollars
    tiers = result.candidate.parameters["program.tiers"]
    assert [step for step, _ in tiers] == [0, 1]
    assert result.front[0].quality.mean >= result.front[-1].quality.mean


def test_a_cascade_is_fitted_after_another_search() -> None:
    # The program where it begins is then another one than the program that was given.
    search = Chain(LabeledFewShot(k=2), FrugalCascade(signal="learned"))
    result = compiled(search, 150, accept="best")
    assert not any("ended with" in note.text for note in result.report.notes)


def test_what_was_fitted_runs_from_its_artifact_alone(tmp_path: Path) -> None:
    result = fitted("learned")
    result.save(tmp_path / "cascade.json")
    loaded = lp.load(tmp_path / "cascade.json")
    with lp.using(models=[model("cheap"), model("dear")]):
        answers = [
            (loaded(ticket=row.ticket), result.program(ticket=row.ticket)) for row in tickets(30)
        ]
    assert all(a == b and a.usage.calls == b.usage.calls for a, b in answers)
    assert {a.usage.calls for a, _ in answers} == {1, 2}


def test_a_cap_on_the_mean_price_of_a_query() -> None:
    result = compiled(FrugalCascade(cap=0.0006), accept="best")
    assert 0.00009 < result.certificate.cost_after.dollars < 0.0008
    assert result.certificate.after.mean > SKILL["cheap"]


def test_a_cap_that_nothing_keeps_leaves_the_program_as_it_is() -> None:
    result = compiled(FrugalCascade(cap=0.00001), 150)
    assert result.candidate.parameters == {}
    assert any("costs more than" in note.text for note in result.report.notes)


def test_a_guarantee_is_shown_on_validation() -> None:
    result = compiled(FrugalCascade(guarantee=(0.85, 0.1)), 400)
    assert any("a mean score of 0.85 is shown" in note.text for note in result.report.notes)
    assert result.certificate.after.mean > 0.8
    assert len(result.candidate.parameters["program.tiers"]) == 2


def test_a_guarantee_that_the_data_cannot_support_is_refused() -> None:
    with pytest.raises(InputError, match="needs at least 299 validation examples"):
        compiled(FrugalCascade(guarantee=(0.99, 0.05)))
    result = compiled(FrugalCascade(guarantee=(0.97, 0.05)), 400)
    assert result.candidate.parameters == {}
    assert any("is shown to reach 0.97" in note.text for note in result.report.notes)


def test_a_model_that_fails_on_some_inputs_loses_there_alone() -> None:
    models = [model("cheap", broken="invoice"), model("dear")]
    result = compiled(FrugalCascade(), 150, models=models, accept="best")
    with lp.using(models=models):
        answered = [result.program(ticket=row.ticket).team for row in tickets(30)]
    assert len(answered) == 30


def test_a_missing_price_is_asked_for() -> None:
    models = [model("cheap"), model("dear", priced=False)]
    with pytest.raises(ModelError, match="no price is known for scripted/dear"):
        compiled(FrugalCascade(), models=models)


def test_a_model_without_log_probabilities_ends_it_at_once() -> None:
    silent = lp.ScriptedLM(lambda _: "[[team]]\nbilling", name="scripted/dear")
    with pytest.raises(ModelError, match="scripted/dear returns no log-probabilities"):
        compiled(FrugalCascade(signal="logprob"), models=[model("cheap"), silent])


def test_a_program_without_a_cascade_is_told_how_to_get_one() -> None:
    with lp.using(lm=model("cheap")), pytest.raises(InputError, match="Cascade.over"):
        FrugalCascade().compile(one_module(), tickets(90), metric=right_team)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"signal": "hunch"}, "a signal must be one of"),
        ({"cap": 0.0}, "cap has to be a number above 0"),
        ({"guarantee": (1.0, 0.1)}, "a list of 2 values, each a number above 0, below 1"),
    ],
)
def test_what_does_not_fit_is_said(options: dict[str, object], told: str) -> None:
    with pytest.raises(InputError, match=told):
        FrugalCascade(**options)  # type: ignore[arg-type]  # wrong on purpose


def test_killed_by_its_budget_it_ends_in_good_order_and_resumes_free(tmp_path: Path) -> None:
    first = compiled(FrugalCascade(), 150, run_dir=tmp_path)
    models = [model("cheap"), model("dear")]
    again = compiled(FrugalCascade(), 150, models=models, run_dir=tmp_path)
    assert sum(model.calls for model in models) == 0
    assert again.candidate.digest == first.candidate.digest
    small = compiled(FrugalCascade(), 150, budget=lp.Budget(calls=300))
    assert small.report.paid.calls <= 300
