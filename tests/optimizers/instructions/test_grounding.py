"""What a proposer is shown of a module in the middle, for whose outputs there are no labels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import langprog as lp
from langprog.lm import Request
from optimizers import GEPA, MIPRO, Demonstrating, Optimizer, Searching
from tests.optimizers.simulated import field

REVISES = "Rewrite the instruction"
QUICK = MIPRO(
    instructions=4, demonstrating=Demonstrating(sets=0), searching=Searching(trials=2), prune=False
)


class Program(lp.Module):
    def __init__(self) -> None:
        self.notes = lp.Predict("text -> notes")
        self.answer = lp.Predict("notes -> answer")

    def forward(self, text: str) -> lp.Prediction:
        return self.answer(notes=self.notes(text=text).notes)


def reply(request: Request) -> str:
    system, last = request.messages[0].text, request.messages[-1].text
    asked = system.rsplit("\n", 1)[-1]
    if "[[instruction]]" in asked:
        return f"[[instruction]]\nTake note of what counts, number {len(last)}."
    if "[[summary]]" in asked:
        return "[[summary]]\nTexts."
    if "[[notes]]" in asked:
        return f"[[notes]]\nnoted {field(last, 'text')[-4:]}"
    number = int(field(last, "notes").split()[-1])
    return f"[[answer]]\n{'right' if number % 2 else 'wrong'}"


def told(example: Any, prediction: Any) -> lp.Score:
    right = prediction.answer == example.answer
    return lp.Score(right, feedback="" if right else "the notes lack what counts")


def untold(example: Any, prediction: Any) -> bool:
    return bool(prediction.answer == example.answer)


def mistakes_of(optimizer: Optimizer, metric: Callable[..., Any]) -> dict[str, list[str]]:
    """Return the mistakes that the proposer saw when it was asked, by the task of the module."""
    rows = [lp.Example(text=f"text {number:04}", answer="right") for number in range(60)]
    model = lp.ScriptedLM(reply)
    with lp.using(lm=model):
        optimizer.compile(Program(), rows, metric=metric, budget=lp.Budget(calls=700))
    shown: dict[str, list[str]] = {"text -> notes": [], "notes -> answer": []}
    for request in model.requests:
        if request.messages[0].text.startswith(REVISES):
            last = request.messages[-1].text
            shown[field(last, "task")] += field(last, "mistakes").split("\n\n")
    return shown


@pytest.mark.parametrize("optimizer", [QUICK, GEPA(rounds=4)], ids=["MIPRO", "GEPA"])
def test_inputs_outputs_and_feedback_are_shown(optimizer: Optimizer) -> None:
    mistakes = mistakes_of(optimizer, told)
    assert all(mistakes.values())
    for text in mistakes["text -> notes"]:
        number = text.split("\n")[0].split()[-1]
        assert text == (
            f"text: text {number}\nanswered notes: noted {number}\nthe program's answer: wrong\n"
            "wanted: right\nfeedback: the notes lack what counts"
        )
    for text in mistakes["notes -> answer"]:
        assert text.endswith(
            "answered: wrong\nwanted: right\nfeedback: the notes lack what counts"
        )


def test_without_feedback_the_programs_answer_is_what_is_known() -> None:
    mistakes = mistakes_of(GEPA(rounds=4), untold)["text -> notes"]
    assert mistakes and all(
        "\nanswered notes: noted " in text and text.endswith("answer: wrong\nwanted: right")
        for text in mistakes
    )
