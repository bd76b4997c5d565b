"""Programs whose ``forward`` is something else than a plain method."""

from __future__ import annotations

from collections.abc import Callable
from functools import partialmethod
from typing import Any

import pytest

import langprog as lp


def unnamed(function: Callable[..., Any]) -> Callable[..., Any]:
    """A decorator that does not keep the name."""

    def wrapper(self: Any, ticket: str) -> Any:
        return function(self, ticket)

    return wrapper


class Base(lp.Module):
    def __init__(self) -> None:
        self.answer = lp.Predict("ticket -> team")


class Decorated(Base):
    @unnamed
    def forward(self, ticket: str) -> lp.Prediction:
        return self.answer(ticket=ticket)


class Static(Base):
    @staticmethod
    def forward(ticket: str) -> dict[str, str]:
        return {"team": "a"}


def answer(self: Base, ticket: str, times: int) -> lp.Prediction:
    return self.answer(ticket=ticket)


class Borrowed(Base):
    forward = partialmethod(answer, times=1)


@pytest.mark.parametrize("kind", [Decorated, Static, Borrowed])
def test_its_inputs_are_its_parameters(kind: type[Base]) -> None:
    assert kind().input_names() == ("ticket",)
    report = lp.evaluate(
        kind(),
        [lp.Example(ticket="no wifi", team="a")],
        lambda row, got: row.team == got.team,
        lm=lp.ScriptedLM(lambda request: "[[team]]\na"),
    )
    assert report.mean == 1.0
