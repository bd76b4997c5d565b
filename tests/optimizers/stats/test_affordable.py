"""The certificate under caps of tokens and dollars: as many examples as these pay for."""

from __future__ import annotations

import pytest

import langprog as lp
from langprog.lm import Completion, Priced, Usage
from optimizers import MIPRO, BootstrapFewShot, LabeledFewShot, Optimizer

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


def test_calls_that_the_search_leaves_pay_for_more_rows() -> None:
    with lp.using(lm=lp.ScriptedLM(answer, name="m/one")):
        compiled = LabeledFewShot().compile(
            PROGRAM,
            rows("train", 40),
            metric=same_team,
            holdout=rows("held", 300),
            must_pass=rows("must", 10),
            budget=lp.Budget(calls=120),
        )
    # A third of the calls, of which a search may take the rest, would be 17 rows.
    assert compiled.certificate.verdict == "certified" and compiled.certificate.n >= 40
    assert compiled.certificate.must_pass == (10, ()) and compiled.report.paid.calls <= 120


def test_the_program_as_it_is_pays_for_no_more_rows_than_planned() -> None:
    def right(request: lp.Request) -> str:
        number = int(request.messages[-1].text.rsplit(" ", 1)[-1])
        return f"[[team]]\n{'abc'[number % 3]}"

    with lp.using(lm=lp.ScriptedLM(right, name="m/one")):
        compiled = MIPRO().compile(
            PROGRAM,
            rows("train", 40),
            metric=same_team,
            valset=rows("val", 20),
            holdout=rows("held", 300),
            budget=lp.Budget(calls=120),
        )
    assert compiled.certificate.verdict == "original" and compiled.certificate.n == 19
