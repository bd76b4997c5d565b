"""Answers that a program's own code may have asked for again are in its expected calls."""

from __future__ import annotations

import linecache
from typing import Any

import langprog as lp
from langprog import require


class Support(lp.Module):
    def __init__(self) -> None:
        self.team = lp.Predict("ticket -> team")
        self.reply = lp.Predict("ticket, team -> reply")

    def forward(self, ticket: str) -> lp.Prediction:
        team = self.team(ticket=ticket)
        answer = self.reply(ticket=ticket, team=team.team)
        require(team.team in answer.reply, "name the team")
        self.polish(answer)
        return answer

    def polish(self, answer: Any) -> None:
        lp.suggest(len(answer.reply) < 80, "be brief", reasks=1)


class Kinder(Support):
    def polish(self, answer: Any) -> None:
        super().polish(answer)
        lp.suggest("please" in answer.reply, "say please", reasks=0)


class Plain(lp.Module):
    def __init__(self) -> None:
        self.reply = lp.Predict("ticket -> reply")

    def forward(self, ticket: str) -> lp.Prediction:
        self.require(ticket)
        return self.reply(ticket=ticket)

    def require(self, ticket: str) -> None:
        """A method that has the same name."""


def test_each_demand_counts_with_its_reasks() -> None:
    assert Support().calls_per_example() == 2 + 2 + 1
    assert Kinder().calls_per_example() == 2 + 2 + 1 + 0
    assert lp.Vote(Support(), on="reply", k=3).calls_per_example() == 15


def test_what_only_has_the_name_does_not_count() -> None:
    assert Plain().calls_per_example() == 1


def test_code_without_source_counts_as_before() -> None:
    scope: dict[str, Any] = {"lp": lp, "__name__": "nowhere"}
    exec(  # as in a console
        "class Own(lp.Module):\n"
        "    def __init__(self): self.a = lp.Predict('a -> b')\n"
        "    def forward(self, a):\n"
        "        lp.require(False, 'x')\n",
        scope,
    )
    linecache.clearcache()
    assert scope["Own"]().calls_per_example() == 1
