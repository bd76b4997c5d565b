"""What type checkers find: every line that ends with ``# wrong``, and no other."""

from __future__ import annotations

from typing import Literal

import langprog as lp
from optimizers import Compiler


class Triage(lp.Signature):
    """Say which team owns the ticket."""

    ticket: str = lp.Input("what the customer wrote")
    team: Literal["billing", "network"] = lp.Output("the team that owns it")


class Other(lp.Signature):
    """Answer the question."""

    question: str = lp.Input()
    answer: str = lp.Output()


class Support(lp.Module[Triage]):
    def __init__(self) -> None:
        self.team = lp.Predict(Triage)

    def forward(self, ticket: str) -> Triage:
        return self.team(ticket=ticket)


def of_another_program(example: lp.Example, prediction: Other) -> bool:
    return bool(example["answer"] == prediction.answer)


def of_an_example_alone(example: lp.Example) -> bool:
    return bool(example.team)


def returns_text(example: lp.Example, prediction: Triage) -> str:
    return prediction.team


rows = [lp.Example(ticket="...", team="billing")]
predict = lp.Predict(Triage)
answer = predict(ticket="...")

# An output.
str(answer.tema)  # wrong
str(Support()(ticket="...").tema)  # wrong
number: int = answer.team  # wrong
answer.team = "billing"  # wrong
str(lp.ChainOfThought(Triage)(ticket="...").tema)  # wrong

# An input.
predict(tikcet="...")  # wrong
predict(ticket=7)  # wrong
predict()  # wrong
lp.ChainOfThought(Triage)(ticket="...", team="billing")  # wrong

# An option.
lp.Predict(Triage, temprature=0.5)  # wrong
lp.ChainOfThought(Triage, demos=3)  # wrong

# A metric.
lp.evaluate(predict, rows, of_another_program)  # wrong
lp.evaluate(predict, rows, of_an_example_alone)  # wrong
lp.evaluate(predict, rows, returns_text)  # wrong
lp.evaluate(predict, rows, lambda example, prediction: prediction.tema == "billing")  # wrong
lp.evaluate(Support(), rows, of_another_program)  # wrong
Compiler().compile(predict, rows, metric=of_another_program)  # wrong
