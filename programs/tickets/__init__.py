"""Triage of support tickets: which team, and how urgent.

The program of ``langprog demo``. The 320 records beside this file were written by hand for this
project (MIT, as everything here): tickets to a small phone and internet provider. ``team`` is one
of four house names whose meaning no model can know beforehand: harbor gets payments and invoices,
atlas the network, ember accounts and privacy, cedar orders and deliveries. ``priority`` is urgent
or normal. Every team has 80 records, half of them urgent, split into train (96), validation (96)
and holdout (128).

Follows: MIPRO, Optimizing Instructions and Demonstrations for Multi-Stage Language Model Programs
(Opsahl-Ong et al., 2024), in having modules whose instructions and demonstrations are searched
together. Differs: two modules on records of our own, small enough for an embedded model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from types import MappingProxyType
from typing import Literal

import langprog as lp

# Instructions to choose from, as the embedded model writes none that make sense.
INSTRUCTIONS: Mapping[str, Sequence[str]] = MappingProxyType(
    {
        "team": (
            "Answer harbor for payments and invoices, atlas for the network, ember for accounts "
            "and privacy, cedar for orders and deliveries.",
            "Choose the team of the ticket. Harbor is for money, atlas is for internet, ember is "
            "for login, cedar is for delivery.",
            "Say who gets the ticket, by what it is about: harbor for payments, atlas for the "
            "network, ember for accounts, cedar for orders.",
        ),
        "priority": (
            "Answer urgent for what cannot wait, normal for everything else.",
            "Answer urgent if the ticket says now, today, immediately or at once; answer normal "
            "for questions and for when convenient.",
            "Choose urgent if the customer needs an answer today or now, normal if it can wait.",
        ),
    }
)

Part = Literal["train", "validation", "holdout", "new"]
PARTS: tuple[Part, ...] = ("train", "validation", "holdout", "new")


class Team(lp.Signature):
    """Say which team gets the ticket."""

    ticket: str = lp.Input()
    team: Literal["harbor", "atlas", "ember", "cedar"] = lp.Output()


class Priority(lp.Signature):
    """Say how the ticket is to be treated."""

    ticket: str = lp.Input()
    team: str = lp.Input()
    priority: Literal["urgent", "normal"] = lp.Output()


program = lp.Pipeline(team=lp.Predict(Team), priority=lp.Predict(Priority))


def metric(example: lp.Example, prediction: lp.Prediction) -> lp.Score:
    """Score half a point each for the right team and the right priority."""
    wrong = [
        f"{name} was {prediction[name]}, should be {example[name]}"
        for name in ("team", "priority")
        if prediction[name] != example[name]
    ]
    return lp.Score(1 - len(wrong) / 2, "; ".join(wrong) or None)


def examples() -> list[lp.Example]:
    """Return the records of train, validation and holdout, in this order."""
    return [row for part in PARTS if part != "new" for row in lp.load_examples(records(part))]


def records(part: Part) -> Path:
    """Return the file of a part; ``new`` has tickets without answers."""
    return Path(str(resources.files("programs.tickets").joinpath(f"{part}.jsonl")))
