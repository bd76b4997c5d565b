from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

import langprog as lp
from langprog.errors import FrozenError, InputError, LangprogError, SignatureError


def echo(request: lp.Request) -> str:
    """Answer every output marker asked for with the last user message's length."""
    return "[[team]]\nbilling"


class Support(lp.Module):
    signature = "ticket -> team"

    def __init__(self) -> None:
        self.team = lp.Predict("ticket -> team")
        self.others = [lp.Predict("ticket -> team"), lp.Predict("ticket -> team")]

    def forward(self, ticket: str) -> Mapping[str, Any]:
        return self.team(ticket=ticket)


class AsyncSupport(lp.Module):
    def __init__(self) -> None:
        self.team = lp.Predict("ticket -> team")

    async def aforward(self, ticket: str) -> Mapping[str, Any]:
        return {"team": (await self.team.acall(ticket=ticket)).team.upper()}


def test_a_users_forward_runs_with_usage_and_trace() -> None:
    lp.configure(lm=lp.ScriptedLM(echo))
    prediction = Support()(ticket="my invoice")
    assert prediction.team == "billing"
    assert prediction.usage.calls == 1
    assert [step.path for step in prediction.trace] == ["team"]
    assert prediction.trace[0].inputs == {"ticket": "my invoice"}


def test_a_users_aforward_runs() -> None:
    lp.configure(lm=lp.ScriptedLM(echo))
    assert AsyncSupport()(ticket="x").team == "BILLING"
    assert asyncio.run(AsyncSupport().acall(ticket="x")).team == "BILLING"


def test_sync_call_inside_aforward_is_refused_instead_of_waiting_for_itself() -> None:
    class Wrong(AsyncSupport):
        async def aforward(self, ticket: str) -> Mapping[str, Any]:
            return self.team(ticket=ticket)

    lp.configure(lm=lp.ScriptedLM(echo))
    with pytest.raises(LangprogError, match="await program.acall"):
        Wrong()(ticket="x")


def test_works_where_a_loop_is_running_already() -> None:
    lp.configure(lm=lp.ScriptedLM(echo))

    async def notebook() -> str:
        return str(Support()(ticket="x").team)

    assert asyncio.run(notebook()) == "billing"


def test_predictors_are_listed_by_path_in_a_stable_order() -> None:
    assert list(Support().predictors()) == ["team", "others[0]", "others[1]"]
    assert list(lp.Predict("a -> b").predictors()) == ["predict"]
    assert list(lp.ChainOfThought("a -> b").predictors()) == ["predict"]


def test_with_parameters_changes_a_copy_and_nothing_else() -> None:
    program = Support()
    changed = program.with_parameters({"team.instruction": "Be quick.", "others[1].model": "m/x"})
    assert program.parameters()["team.instruction"].value != "Be quick."
    assert changed.parameters()["team.instruction"].value == "Be quick."
    assert changed.others[1].model == "m/x"
    assert changed.others[0].model is None
    assert program.others[1].model is None


def test_a_module_in_two_places_stays_one_module() -> None:
    class Twice(lp.Module):
        def __init__(self) -> None:
            self.first = lp.Predict("a -> b")
            self.second = self.first

    changed = Twice().with_parameters({"first.instruction": "New."})
    assert changed.first is changed.second
    assert list(changed.predictors()) == ["first"]


def test_an_unknown_parameter_is_named_with_the_known_ones() -> None:
    with pytest.raises(InputError, match=r"no parameter 'x.demos'.*team.instruction"):
        Support().with_parameters({"x.demos": ()})


def test_parameters_round_trip() -> None:
    program = Support()
    values = {key: parameter.value for key, parameter in program.parameters().items()}
    assert program.with_parameters(values).parameters() == program.parameters()


def test_freeze_returns_a_copy_that_nothing_can_be_set_on() -> None:
    program = Support()
    frozen = program.freeze()
    with pytest.raises(FrozenError, match="frozen"):
        frozen.team = lp.Predict("a -> b")
    with pytest.raises(FrozenError):
        del frozen.team
    program.team = lp.Predict("ticket -> team", instruction="Mine.")
    assert frozen.frozen and not program.frozen
    assert frozen.with_parameters({"team.instruction": "N."}).frozen


def test_a_module_that_returns_no_outputs_says_so() -> None:
    class Silent(lp.Module):
        def forward(self, ticket: str) -> Any:
            return None

    with pytest.raises(InputError, match="Silent.forward returned NoneType"):
        Silent()(ticket="x")


def test_a_module_without_a_signature_says_so_where_one_is_needed() -> None:
    with pytest.raises(SignatureError, match="AsyncSupport does not declare its inputs"):
        lp.Pipeline(only=AsyncSupport())


def test_record_trace_keeps_the_steps_of_a_failed_run() -> None:
    replies = iter(["[[team]]\nbilling", "nothing readable \x00", "again not", "x"])

    class TwoSteps(lp.Module):
        def __init__(self) -> None:
            self.one = lp.Predict("ticket -> team")
            self.two = lp.Predict("team -> priority, hours: int")

        async def aforward(self, ticket: str) -> Mapping[str, Any]:
            team = (await self.one.acall(ticket=ticket)).team
            return await self.two.acall(team=team)

    lp.configure(lm=lp.ScriptedLM(lambda request: next(replies)))
    with lp.record_trace() as trace, pytest.raises(lp.LangprogError):
        TwoSteps()(ticket="x")
    assert [(step.path, step.failure is None) for step in trace.steps()] == [
        ("one", True),
        ("two", False),
    ]


def test_a_forward_that_runs_out_of_items_is_an_error_and_no_endless_wait() -> None:
    class Empty(lp.Module):
        def forward(self, q: str) -> dict[str, str]:
            return {"a": next(iter(()))}

    with pytest.raises(RuntimeError, match=r"forward raised StopIteration"):
        Empty()(q="x")
