"""What type checkers know about programs: every line is right under --strict."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, assert_type

import langprog as lp
from optimizers import Compiler

Team = Literal["billing", "network"]


class Triage(lp.Signature):
    """Say which team owns the ticket."""

    ticket: str = lp.Input("what the customer wrote")
    language: str | None = lp.Input("its language", default=None)
    team: Team = lp.Output("the team that owns it")


class Support(lp.Module[Triage]):
    def __init__(self) -> None:
        self.team = lp.Predict(Triage, temperature=0.0)

    def forward(self, ticket: str) -> Triage:
        return self.team(ticket=ticket)


class Asynchronous(lp.Module):  # any answer, any metric
    def __init__(self) -> None:
        self.team = lp.Predict(Triage)

    async def aforward(self, ticket: str) -> Mapping[str, Any]:
        answer = await self.team.acall(ticket=ticket)
        assert_type(answer, Triage)
        return {"team": answer.team}


def metric(example: lp.Example, prediction: Triage) -> bool:
    return bool(example["team"] == prediction.team)


def any_metric(example: lp.Example, prediction: lp.Prediction) -> lp.Score:
    return lp.Score(float(example.team == prediction.team), feedback="")


predict = lp.Predict(Triage)
answer = predict(ticket="my invoice is wrong")
assert_type(answer, Triage)
assert_type(answer.team, Team)
assert_type(answer.usage.calls, int)
assert_type(answer["team"], Any)
prediction: lp.Prediction = answer
reasoned = lp.ChainOfThought(Triage)(ticket="my invoice is wrong", language="en")
assert_type(reasoned.team, Team)
assert_type(reasoned.reasoning, str)
assert_type(lp.Predict("ticket -> team")(ticket="..."), lp.Prediction)
assert_type(Support()(ticket="...").team, Team)
assert_type(Asynchronous()(ticket="..."), Any)

declared: lp.Predict[Triage] = predict
frozen = predict.with_parameters({})
assert_type(frozen(ticket="...").team, Team)

rows = [lp.Example(ticket="...", team="billing")]
lp.evaluate(predict, rows, metric)
lp.evaluate(predict, rows, any_metric)
lp.evaluate(predict, rows, lambda example, prediction: example.team == prediction.team)
lp.evaluate(Asynchronous(), rows, metric)
compiled = Compiler().compile(Support(), rows, metric=metric, budget=lp.Budget(calls=100))
assert_type(compiled.program(ticket="...").team, Team)


def call_any(program: lp.Module) -> None:
    str(program(ticket="...").team)
