"""The two programs on the surface."""

from __future__ import annotations

from typing import Literal

import langprog as lp
from benchmarks.surface.endpoint import Surface
from langprog.lm import Request

Kind = Literal["amber", "basalt", "cobalt", "damask"]
Answer = Literal["east", "north", "south", "west"]
FRESH = 100_000  # numbers of the items on which the truth is measured


class FindKind(lp.Signature):
    """Give the kind of the item."""

    text: str = lp.Input()
    kind: Kind = lp.Output()


class FindAnswer(lp.Signature):
    """Give the answer for the item."""

    text: str = lp.Input()
    kind: str = lp.Input()
    answer: Answer = lp.Output()


class FindAlone(lp.Signature):
    """Give the answer for the item."""

    text: str = lp.Input()
    answer: Answer = lp.Output()


def program(modules: int) -> lp.Module:
    """Return the program with one or two modules."""
    if modules == 1:
        return lp.Predict(FindAlone)
    return lp.Pipeline(kind=lp.Predict(FindKind), answer=lp.Predict(FindAnswer))


def items(surface: Surface, first: int, count: int) -> list[lp.Example]:
    """Return labelled items, without labels for the first module."""
    return [
        lp.Example(text=f"item {number}", answer=surface.label("answer", number))
        for number in range(first, first + count)
    ]


def right(example: lp.Example, prediction: lp.Prediction) -> bool:
    """Score the answer alone."""
    return bool(example.answer == prediction.answer)


def model(surface: Surface) -> lp.ScriptedLM:
    """Return the surface as a language model."""

    def reply(request: Request) -> str:
        messages = [(message.role, message.text) for message in request.messages]
        return surface.answer(messages, request.sampling.seed)

    return lp.ScriptedLM(reply, name=f"surface/{surface.size}")


def truth(program: lp.Module, surface: Surface, count: int = 600) -> float:
    """Return the accuracy on new items; their requests are not counted."""
    calls = surface.calls
    with lp.using(lm=model(surface)):
        report = lp.evaluate(program, items(surface, FRESH, count), right)
    surface.calls = calls
    assert report.mean is not None
    return report.mean
