"""Data is kept where it is verified and new."""

from __future__ import annotations

from typing import Any

import pytest

import langprog as lp
from benchmarks.programs.scripted import load_script
from langprog.lm import Request
from programs.synthesize import examples, find_flaw, metric, program, synthesize

GOOD = {"problem": "Ada has 21 coins and finds 3. How many?", "expression": "21 + 3", "answer": 24}


@pytest.mark.parametrize(
    ("changed", "flaw"),
    [
        ({}, ""),
        ({"answer": 25}, "21 + 3 is 24, not 25"),
        ({"problem": "Ada has 21 stamps and finds 3."}, "not about coins"),
        ({"problem": "Ada has 21 coins and finds some."}, "does not name 3"),
        ({"expression": "21 - 3"}, "not of the form a + b"),
        ({"expression": "__import__('os')"}, "not of the form"),
        ({"expression": "21 + 3 + 0"}, "not of the form"),
        ({"problem": "21 coins and 03.", "expression": "21 + 03"}, "cannot be read"),
        ({"expression": "21\n+ 3"}, "cannot be read"),
        ({"problem": "Coins: 21, and 3 more. How many?"}, ""),
    ],
)
def test_a_problem_is_verified_by_its_arithmetic(changed: dict[str, Any], flaw: str) -> None:
    said = find_flaw("coins", "a + b", {**GOOD, **changed})
    assert flaw in said and bool(flaw) == bool(said)


def test_a_draft_is_made_first_and_refined() -> None:
    model = lp.ScriptedLM(load_script("synthesize", steady=True))
    with lp.using(lm=model):
        assert lp.evaluate(program, examples()[:10], metric).mean == 1.0
    drafted, refined = (
        [each for each in model.requests if ("[[draft]]" in each.messages[-1].content) == refines]
        for refines in (False, True)
    )
    assert len(drafted) == len(refined) == 10
    assert {each.sampling.temperature for each in drafted} == {1.0}


def test_what_is_wrong_or_there_already_is_dropped() -> None:
    def reply(request: Request) -> str:
        last = request.messages[-1].content
        if "[[draft]]" not in last:
            return "[[draft]]\n21 3"
        topic = "coins" if "coins" in last else "cards"
        answer = 25 if topic == "cards" else 24
        return (
            f"[[problem]]\nAda has 21 {topic} and finds 3. How many?\n"
            f"[[expression]]\n21 + 3\n[[answer]]\n{answer}"
        )

    wanted = [{"topic": topic, "calculation": "a + b"} for topic in ("coins", "cards", "coins")]
    with lp.using(lm=lp.ScriptedLM(reply)):
        (kept,) = synthesize(program, wanted)
        assert kept.to_dict() == {**wanted[0], **GOOD}
        assert not list(
            synthesize(program, wanted, known=["ada has 21 coins, and finds 3. How many"])
        )
