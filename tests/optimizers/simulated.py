"""A simulated model, labelled as such: its accuracy depends on the prompt, so that optimizers have
something to find. Everything is a pure function of the request.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from typing import Literal

import langprog as lp
from langprog.lm import Request

TEAMS = ("billing", "network", "accounts")
WORDS = {"billing": "invoice", "network": "router", "accounts": "password"}
GOOD = "key words"
# What the model says to the prompts of other adapters than chat.
UNKNOWN_FORM = "I cannot say."

Team = Literal["billing", "network", "accounts"]


class Triage(lp.Signature):
    """Read the ticket."""

    ticket: str = lp.Input("what the customer wrote")
    team: Team = lp.Output("the team that owns it")


class Urgency(lp.Signature):
    """Say how urgent it is."""

    ticket: str = lp.Input("what the customer wrote")
    team: Team = lp.Input("the team that owns it")
    urgent: bool = lp.Output("whether it cannot wait")


def unit(*parts: str) -> float:
    """Return a number in [0, 1) that depends on nothing but ``parts``."""
    digest = hashlib.sha256("\x1f".join(parts).encode()).digest()
    return int.from_bytes(digest[:6], "big") / 2**48


def tickets(count: int, start: int = 0) -> list[lp.Example]:
    """Return labelled tickets: the word in the text decides the team, ``now`` the urgency."""
    found = []
    for number in range(start, start + count):
        team = TEAMS[number % 3]
        urgent = number % 2 == 0
        text = f"ticket {number} about my {WORDS[team]}{' now' if urgent else ''} please"
        found.append(lp.Example(ticket=text, team=team, urgent=urgent))
    return found


def team_of(ticket: str) -> str:
    return next(team for team, word in WORDS.items() if word in ticket)


def field(text: str, name: str) -> str:
    found = re.search(rf"\[\[{name}\]\]\n(.*?)(?=\n\[\[|\Z)", text, re.S)
    return found.group(1) if found else ""


def skill(request: Request, base: float) -> float:
    """Return how often the model is right under this prompt."""
    system = request.messages[0].content
    system += field(request.messages[-1].content, "policy")
    demos = sum(message.role == "assistant" for message in request.messages)
    return base + 0.35 * (GOOD in system) + 0.05 * min(demos, 6)


def answers(base: float = 0.3, per_prompt: float = 0.3):
    """Return the reply function of the simulated model.

    Args:
        base: How often it is right under a bare prompt.
        per_prompt: How much of its luck changes from prompt to prompt.
    """

    def reply(request: Request) -> str:
        system, last = request.messages[0].content, request.messages[-1].content
        if system.startswith("Describe what"):
            return "[[summary]]\nTickets of customers, each owned by one team."
        if system.startswith(("Write a clear instruction", "Rewrite the instruction")):
            return f"[[instruction]]\n{proposal(request)}"
        if system.startswith("Rewrite the text"):
            return f"[[text]]\n{proposal(request)}"
        ticket = field(last, "ticket")
        if not ticket:
            return UNKNOWN_FORM
        shared, own = unit(ticket), unit(ticket, *(one.content for one in request.messages))
        luck = (1 - per_prompt) * shared + per_prompt * own
        right = luck < skill(request, base)
        if "[[urgent]]" in system:
            urgent = (" now" in ticket) == right
            return f"[[urgent]]\n{'true' if urgent else 'false'}"
        team = team_of(ticket)
        wrong = TEAMS[(TEAMS.index(team) + 1) % 3]
        return f"[[team]]\n{team if right else wrong}"

    return reply


def proposal(request: Request) -> str:
    """Return an instruction; about every third one holds the phrase that helps."""
    luck = unit(str(request.sampling.seed), request.messages[-1].content)
    tail = f"Variant {int(luck * 1000)}."
    if luck < 0.35:
        return f"Look at the {GOOD} of the ticket and name the team. {tail}"
    if luck < 0.7:
        return f"Read carefully and decide. {tail}"
    return f"Be polite and brief. {tail}"


def always(right: float):
    """Return a reply function whose accuracy does not depend on the prompt at all."""

    def reply(request: Request) -> str:
        system, last = request.messages[0].content, request.messages[-1].content
        if system.startswith("Describe what"):
            return "[[summary]]\nTickets."
        if system.startswith(("Write a clear instruction", "Rewrite the instruction")):
            return f"[[instruction]]\n{proposal(request)}"
        ticket = field(last, "ticket")
        if not ticket:
            return UNKNOWN_FORM
        team = team_of(ticket)
        lucky = unit(ticket, *(one.content for one in request.messages)) < right
        answer = team if lucky else TEAMS[(TEAMS.index(team) + 1) % 3]
        return f"[[team]]\n{answer}"

    return reply


def one_module() -> lp.Predict:
    return lp.Predict(Triage)


def two_modules() -> lp.Pipeline:
    return lp.Pipeline(team=lp.Predict(Triage), urgent=lp.Predict(Urgency))


def right_team(example: lp.Example, prediction: lp.Prediction) -> bool:
    return bool(example.team == prediction.team)


def all_right(example: lp.Example, prediction: lp.Prediction) -> float:
    parts: Sequence[bool] = (
        example.team == prediction.team,
        example.urgent == prediction.urgent,
    )
    return sum(parts) / len(parts)
