"""Facts are condensed by copying, then ordered, then reasoned from."""

from __future__ import annotations

import json
import re

import langprog as lp
from benchmarks.programs.scripted import load_script
from langprog.lm import Request
from programs.perceive import PART, examples, is_copied, metric, program


def test_the_answer_is_drawn_from_few_facts_in_order() -> None:
    row = examples()[0]
    model = lp.ScriptedLM(load_script("perceive", steady=True))
    with lp.using(lm=model):
        prediction = program(facts=row.facts, question=row.question)
        assert lp.evaluate(program, examples(20), metric).mean == 1.0
    assert metric(row, prediction).value == 1.0
    assert len(prediction.used) < len(row.facts) / 2
    name = row.question.split()[1]
    assert prediction.used[0].startswith(f"{name} is a")
    asked = [request.messages[-1].content for request in model.requests[:2]]
    assert all(
        len(json.loads(each.split("[[facts]]\n")[1].splitlines()[0])) <= PART for each in asked
    )


def test_a_fact_that_was_not_given_is_asked_for_again() -> None:
    def reply(request: Request) -> str:
        last = request.messages[-1].content
        if "this one is not among them: Rex is green." in last:
            return '[[picked]]\n["Rex is red."]'
        fields = dict(re.findall(r"\[\[(\w+)\]\]\n(.*)", last))
        system = request.messages[0].content
        if "[[picked]]" in system:
            return '[[picked]]\n["Rex is green."]'
        if "[[ordered]]" in system:
            return '[[ordered]]\n["Rex is blue."]'
        return f"[[answer]]\n{'yes' if 'red' in fields['facts'] else 'no'}"

    with lp.using(lm=lp.ScriptedLM(reply)):
        prediction = program(facts=["Rex is red."], question="Is Rex red?")
    # What the ordering made up is left out, and what it lost is there.
    assert prediction.answer == "yes" and prediction.used == ["Rex is red."]
    assert prediction.usage.reasks == 1


def test_what_is_copied() -> None:
    assert is_copied(["a", "b"], ["b"]) is True and is_copied(["a"], []) is True
