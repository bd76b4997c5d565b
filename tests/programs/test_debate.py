"""Agents that disagree read one another; a majority decides."""

from __future__ import annotations

import json
import re

import pytest

import langprog as lp
from benchmarks.programs.scripted import load_script
from langprog.errors import InputError
from langprog.lm import Request
from programs.debate import Debate, examples, metric


def agents(answers: list[str], *, convinced: bool) -> lp.ScriptedLM:
    """Return a model whose agents answer by their seed, and may follow the first they read."""

    def reply(request: Request) -> str:
        fields = dict(re.findall(r"\[\[(\w+)\]\]\n(.*)", request.messages[-1].content))
        others = json.loads(fields["others"])
        own = answers[request.sampling.seed or 0]
        assert all(re.fullmatch(r"\w+: because", other) for other in others)
        answer = others[0].partition(":")[0] if others and convinced else own
        return f"[[reason]]\nbecause\n[[answer]]\n{answer}"

    return lp.ScriptedLM(reply)


@pytest.mark.parametrize(
    ("answers", "convinced", "answer", "calls"),
    [
        (["Ada", "ada.", "Ada"], False, "Ada", 3),  # all agree, so nobody is asked again
        (["Ben", "Ada", "Ada"], False, "Ada", 6),
        (["Ada", "Ben", "Cleo"], False, "Ada", 6),  # of equals, the first
        (["Ada", "Ben", "Ben"], True, "Ada", 6),  # two are convinced by the first
    ],
)
def test_the_majority_counts_and_agreement_ends_it(
    answers: list[str], convinced: bool, answer: str, calls: int
) -> None:
    with lp.using(lm=agents(answers, convinced=convinced)):
        prediction = Debate()(puzzle="Who?")
    assert (prediction.answer, prediction.usage.calls) == (answer, calls)


def test_without_rounds_it_is_a_vote() -> None:
    with lp.using(lm=agents(["Ben", "Ada", "Ada"], convinced=True)):
        prediction = Debate(rounds=0)(puzzle="Who?")
    assert (prediction.answer, prediction.usage.calls) == ("Ada", 3)
    assert Debate(rounds=2).calls_per_example() == 9


def test_the_puzzles_have_the_answer_that_follows() -> None:
    with lp.using(lm=lp.ScriptedLM(load_script("debate", steady=True))):
        assert lp.evaluate(Debate(), examples(20), metric).mean == 1.0


def test_without_agents_there_is_no_debate() -> None:
    with pytest.raises(InputError, match=r"agents=0\): give 1 or more"):
        Debate(agents=0)
