"""The certificate under caps of tokens and dollars: as many examples as these pay for."""

from __future__ import annotations

import pytest

import langprog as lp
from langprog.lm import Completion, Priced, Usage
from optimizers import BootstrapFewShot, LabeledFewShot, Optimizer

PROGRAM = lp.Predict("ticket -> team")
PRICE = lp.Price(input=50, output=50)


def rows(kind: str, count: int) -> list[lp.Example]:
    return [lp.Example(ticket=f"{kind} {n}", team="abc"[n % 3]) for n in range(count)]


def same_team(example: lp.Example, prediction: lp.Prediction) -> bool:
    return bool(example.team == prediction.team)


def answer(request: lp.Request) -> Completion:
    shown = sum(message.role == "assistant" for message in request.messages)
    number = int(request.messages[-1].text.rsplit(" ", 1)[-1])
    right = shown > 0 or number % 4 == 0  # only demonstrations tell it what is asked
    text = f"[[team]]\n{'abc'[number % 3] if right else 'x'}"
    return Completion((text,), "m/one", Usage(180, 20))


@pytest.mark.parametrize("optimizer", [LabeledFewShot(), BootstrapFewShot()], ids=repr)
@pytest.mark.parametrize("budget", [lp.Budget(dollars=1.5), lp.Budget(tokens=40_000)], ids=repr)
def test_a_search_that_scored_nothing_leaves_a_certificate(
    optimizer: Optimizer, budget: lp.Budget
) -> None:
    model = lp.ScriptedLM(answer, name="m/one")
    with lp.using(lm=Priced(model, PRICE)):
        compiled = optimizer.compile(
            PROGRAM,
            rows("train", 40),
            metric=same_team,
            holdout=rows("held", 300),
            must_pass=rows("must", 10),
            budget=budget,
        )
    found = compiled.certificate
    assert found.verdict == "certified", str(found)
    assert 20 <= found.n < 100
    assert found.must_pass == (10, ())
    paid = compiled.report.paid
    assert paid.dollars <= (budget.dollars or 1e9) and paid.tokens <= (budget.tokens or 1e9)
