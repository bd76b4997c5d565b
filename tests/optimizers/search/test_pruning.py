"""For cost or latency, reasoning that gains too little is left out."""

from __future__ import annotations

import pytest

import langprog as lp
from langprog.lm import Completion, Priced, Request, Usage
from optimizers import Compiler, Structuring
from tests.optimizers.simulated import Triage, always, right_team, tickets

PRICE = lp.Price(input=1.0, output=50.0)


def model(needs_reasoning: bool) -> lp.LanguageModel:
    """Return a model that is right, at 60 tokens of reasoning, which it needs or does not."""

    def reply(request: Request) -> Completion:
        reasons = "[[reasoning]]" in request.messages[0].text
        text = always(1.0 if reasons or not needs_reasoning else 0.4)(request)
        before = "[[reasoning]]\nIts words say so.\n" if reasons else ""
        return Completion((before + text,), "scripted/lm", Usage(40, 4 + 60 * reasons))

    return Priced(lp.ScriptedLM(reply), PRICE)


@pytest.mark.parametrize("objective", ["cost", "quality"])
@pytest.mark.parametrize("needs_reasoning", [False, True])
def test_reasoning_goes_where_it_only_costs(objective: str, needs_reasoning: bool) -> None:
    optimizer = Compiler(objective=objective, tolerance=0.1)
    with lp.using(lm=model(needs_reasoning)):
        result = optimizer.compile(
            lp.ChainOfThought(Triage), tickets(240), metric=right_team, accept="best"
        )
    left_out = objective == "cost" and not needs_reasoning
    assert result.candidate.parameters.get("predict.structure") == (
        ("team",) if left_out else None
    )


def test_it_can_be_turned_off() -> None:
    optimizer = Compiler(objective="cost", tolerance=0.1, structuring=Structuring(share=0))
    with lp.using(lm=model(False)):
        result = optimizer.compile(
            lp.ChainOfThought(Triage), tickets(160), metric=right_team, accept="best"
        )
    assert "predict.structure" not in result.candidate.parameters
