"""A program with checks, and a simulated model that may do better when it is asked again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import langprog as lp
from langprog.lm import Request
from tests.optimizers.simulated import WORDS, Triage, Urgency, answers, field, team_of, unit


def fits_the_words(ticket: str, team: str) -> str:
    """Say that the team of a word in the ticket is another one, without naming it."""
    wrong = team == "accounts" and WORDS["accounts"] not in ticket
    return "nothing in the ticket is about accounts" if wrong else ""


class Checked(lp.Module):
    """Two predictors: a check on the first one's answer, and a condition in the code."""

    def __init__(self) -> None:
        self.team = lp.Predict(
            Triage,
            checks=[
                lp.Check(fits_the_words, "read the ticket again"),
                lp.checks.one_of("team", ["billing", "network", "accounts"]),
            ],
            reasks=1,
        )
        self.urgent = lp.Predict(Urgency)

    def forward(self, ticket: str) -> dict[str, object]:
        team = self.team(ticket=ticket)
        urgent = self.urgent(ticket=ticket, team=team.team)
        lp.require(
            team.team != "billing" or "invoice" in ticket,
            "billing owns invoices only",
            at=team,
            reasks=1,
        )
        lp.suggest(urgent.urgent or " now" not in ticket, "what comes now is urgent", reasks=1)
        return {"team": team.team, "urgent": urgent.urgent}


def answers_again(base: float = 0.4) -> Callable[[Request], str]:
    """Return the reply function of a model that is right in four of five second answers."""
    first = answers(base)

    def reply(request: Request) -> str:
        asked = max(
            (at for at, message in enumerate(request.messages) if "[[ticket]]" in message.content),
            default=len(request.messages) - 1,
        )
        before = replace(request, messages=request.messages[: asked + 1])
        if asked == len(request.messages) - 1:
            return first(before)
        ticket = field(request.messages[asked].content, "ticket")
        if unit(*(message.content for message in request.messages)) > 0.8:
            return first(before)
        if "[[urgent]]" in request.messages[0].content:
            return f"[[urgent]]\n{'true' if ' now' in ticket else 'false'}"
        return f"[[team]]\n{team_of(ticket)}"

    return reply
