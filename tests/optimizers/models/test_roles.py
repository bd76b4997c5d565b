"""Prices and keys of every model are checked before the task's model is paid."""

from __future__ import annotations

from functools import partial

import pytest

import langprog as lp
from langprog.errors import AuthError, ModelError, ServerError
from langprog.evaluation import all_of, judged
from langprog.lm import Priced
from optimizers import GEPA, MIPRO, BootstrapFewShot, Compiler, LabeledFewShot, Proposing
from optimizers.models.roles import find_programs
from tests.lm.endpoint import endpoint_in_thread, refuses
from tests.optimizers.simulated import Triage, answers, one_module, right_team, tickets

DOLLARS = lp.Budget(dollars=5.0)
PRICE = lp.Price(input=1.0, output=2.0)


def scripted(name: str, reply=None) -> lp.ScriptedLM:
    return lp.ScriptedLM(reply or answers(), name=f"scripted/{name}")


def task() -> tuple[lp.ScriptedLM, Priced]:
    """Return a model with a price, and what is handed over."""
    inner = scripted("task")
    return inner, Priced(inner, PRICE)


def asking(other: lp.ScriptedLM) -> dict[str, object]:
    """Return optimizers in which ``other`` has a role of its own."""
    teacher = lp.Predict(Triage, model=other)
    return {
        "proposer": MIPRO(proposing=Proposing(model=other)),
        "proposer of GEPA": GEPA(proposing=Proposing(model=other)),
        "proposer of Compiler": Compiler(proposing=Proposing(model=other)),
        "teacher": BootstrapFewShot(teacher=other),
        "program as teacher": BootstrapFewShot(teacher=teacher),
        "teacher of MIPRO": MIPRO(teacher=teacher),
    }


ROLES = list(asking(scripted("names")))


def judge_of(model) -> lp.Predict:
    return lp.Predict("ticket, team -> score: float", model=model)


class JudgeMetric:
    """A metric that is an object of the user's."""

    def __init__(self, judge: lp.Module) -> None:
        self.judge = judge

    def __call__(self, example: lp.Example, prediction: lp.Prediction) -> float:
        return self.judge(ticket=example.ticket, team=prediction.team).score


def grade(example: lp.Example, prediction: lp.Prediction, judge=None) -> float:
    return judge(ticket=example.ticket, team=prediction.team).score


def metrics_of(judge: lp.Module) -> dict[str, object]:
    """Return metrics that ask a judge, in every way that they can hold it."""
    held = {"judges": [judge]}
    return {
        "judged": judged(judge),
        "all_of": all_of(right_team, judged(judge)),
        "object": JudgeMetric(judge),
        "method": JudgeMetric(judge).__call__,
        "partial": partial(grade, judge=judge),
        "default": lambda e, p, judge=judge: grade(e, p, judge),
        "closure": lambda e, p: grade(e, p, held["judges"][0]),
    }


METRICS = list(metrics_of(judge_of(scripted("names"))))
SHARED = judge_of(scripted("shared"))
team = judge_of(scripted("not asked"))


def test_a_global_judge_is_a_program_of_the_metric_and_another_of_that_name_is_not() -> None:
    def metric(example: lp.Example, prediction: lp.Prediction) -> float:
        return SHARED(ticket=example.ticket, team=prediction.team).score

    assert find_programs(metric) == [SHARED]
    assert find_programs(right_team) == []  # it reads .team, and not the global of that name
    assert team.predicts


@pytest.mark.parametrize("kind", METRICS)
def test_judges_are_seen_in_every_kind_of_metric(kind: str) -> None:
    judge = judge_of(scripted("judge"))
    assert find_programs(metrics_of(judge)[kind]) == [judge]


@pytest.mark.parametrize("role", ROLES)
def test_a_role_without_a_price_is_refused_before_any_call_under_a_dollar_budget(role) -> None:
    other = scripted("other")
    inner, lm = task()
    with lp.using(lm=lm), pytest.raises(ModelError, match="scripted/other, which the optimizer"):
        asking(other)[role].compile(one_module(), tickets(120), metric=right_team, budget=DOLLARS)
    assert inner.calls == 0 and other.calls == 0


@pytest.mark.parametrize("kind", METRICS)
def test_a_judge_without_a_price_is_refused_before_any_call(kind: str) -> None:
    judge = scripted("judge", lambda _: "[[score]]\n1.0")
    inner, lm = task()
    metric = metrics_of(judge_of(judge))[kind]
    with lp.using(lm=lm), pytest.raises(ModelError, match="scripted/judge, which the metric"):
        LabeledFewShot().compile(one_module(), tickets(120), metric=metric, budget=DOLLARS)
    assert inner.calls == 0 and judge.calls == 0


def test_the_ambient_model_that_would_propose_needs_a_price_as_well() -> None:
    ambient = scripted("ambient")
    inner, lm = task()
    program = lp.Predict(Triage, model=lm)
    with lp.using(lm=ambient):
        with pytest.raises(ModelError, match="scripted/ambient"):
            MIPRO().compile(program, tickets(120), metric=right_team, budget=DOLLARS)
        assert inner.calls == ambient.calls == 0
        LabeledFewShot().compile(program, tickets(120), metric=right_team, budget=DOLLARS)


def test_a_dollar_budget_around_the_compile_counts_as_well() -> None:
    _, lm = task()
    optimizer = MIPRO(proposing=Proposing(model=scripted("other")))
    with lp.using(lm=lm, budget=DOLLARS), pytest.raises(ModelError, match="scripted/other"):
        optimizer.compile(one_module(), tickets(120), metric=right_team)


def test_without_a_dollar_budget_no_price_is_needed() -> None:
    optimizer = BootstrapFewShot(teacher=scripted("other"))
    with lp.using(lm=scripted("task")):
        optimizer.compile(
            one_module(), tickets(60), metric=right_team, budget=lp.Budget(calls=300)
        )


def test_an_estimate_names_models_without_a_price() -> None:
    _, lm = task()
    optimizer = MIPRO(proposing=Proposing(model=scripted("other")))
    with lp.using(lm=lm):
        hard = optimizer.estimate(
            one_module(), tickets(90), metric=right_team, budget=DOLLARS
        ).lines()
        soft = optimizer.estimate(one_module(), tickets(90), metric=right_team).lines()
        known = LabeledFewShot().estimate(one_module(), tickets(90), metric=right_team).lines()
    assert "no price is known of scripted/other: compile will refuse" in hard[-1]
    assert soft[-1] == (
        "no price is known of scripted/other, so the dollars for it are not estimated"
    )
    assert not any("price" in line for line in known)


@pytest.mark.parametrize("role", ROLES)
def test_a_wrong_key_in_any_role_is_found_before_the_task_is_paid(role: str) -> None:
    other = scripted("other", lambda _: AuthError("the key is not accepted"))
    inner = scripted("task")
    with lp.using(lm=inner), pytest.raises(AuthError, match="not accepted"):
        asking(other)[role].compile(one_module(), tickets(120), metric=right_team)
    assert inner.calls == 0 and other.calls == 1


def test_a_wrong_key_of_a_judge_is_found_before_the_task_is_paid() -> None:
    judge = scripted("judge", lambda _: AuthError("the key is not accepted"))
    inner = scripted("task")
    with lp.using(lm=inner), pytest.raises(AuthError):
        LabeledFewShot().compile(one_module(), tickets(120), metric=judged(judge_of(judge)))
    assert inner.calls == 0


@pytest.mark.parametrize("role", ["proposer", "teacher", "program as teacher", "judge"])
def test_a_wrong_key_at_an_endpoint_is_found_before_the_task_is_paid(role: str) -> None:
    inner = scripted("task")
    with endpoint_in_thread(refuses(401, "invalid_api_key")) as seen, lp.using(lm=inner):
        other = lp.LM("test/other", base_url=seen.base_url, api_key="wrong", cache=False)
        metric = judged(judge_of(other)) if role == "judge" else right_team
        optimizer = LabeledFewShot() if role == "judge" else asking(other)[role]
        with pytest.raises(AuthError):
            optimizer.compile(one_module(), tickets(120), metric=metric)
    assert inner.calls == 0 and seen.calls == 1


def test_a_model_that_only_fails_for_now_is_not_refused() -> None:
    replies = iter([ServerError("busy")])
    other = scripted("other", lambda request: next(replies, None) or answers(1.0)(request))
    with lp.using(lm=scripted("task")):
        result = BootstrapFewShot(labeled=0, teacher=other).compile(
            one_module(), tickets(120), metric=right_team, accept="best"
        )
    assert result.program.predictors()["predict"].demos


def test_one_model_in_several_roles_is_asked_once(tmp_path) -> None:
    other = scripted("other", answers(1.0))
    optimizer = MIPRO(teacher=other, proposing=Proposing(model=other), instructions=2)
    with lp.using(lm=scripted("task")):
        for _ in range(2):
            optimizer.compile(
                one_module(),
                tickets(90),
                metric=right_team,
                run_dir=tmp_path,
            )
    short = [request for request in other.requests if request.sampling.max_tokens == 16]
    assert len(short) == 1  # and not again where a journal has the reply
