"""Let a small model advise a big one: what this reader wants, in a line.

Follows: How to Train Your Advisor: Steering Black-Box LLMs with Advisor Models (Asawa et al.,
2025): a small model writes advice for each input, and a big one that cannot be trained reads it.
Differs: the advisor learns from demonstrations and instructions of a compile, not by reinforcement
learning; the big model may be frozen (``program.freeze("solve")``), so that all that is learned is
the advice. ``advise`` is to have the small model (``with_parameters({"advise.model": ...})``).
Every reader wants amounts in a form of his own, which no model can know beforehand.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from types import MappingProxyType

import langprog as lp

# What each reader wants, and how it looks.
READERS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "Ada": ("Write the currency first, then the number.", "EUR {whole}.{cents:02d}"),
        "Ben": (
            "Write a comma before the cents and the currency last.",
            "{whole},{cents:02d} EUR",
        ),
        "Cleo": ("Leave the cents away.", "{whole} EUR"),
        "Dan": ("Give the amount in cents.", "{all} cents"),
    }
)


class Advise(lp.Signature):
    """Say in a sentence what form of the amount this reader wants."""

    reader: str = lp.Input()
    advice: str = lp.Output()


class Solve(lp.Signature):
    """Add up the items of the bill, and write the amount as the advice says."""

    bill: str = lp.Input()
    advice: str = lp.Input("on the form")
    amount: str = lp.Output("the amount alone")


class Advised(lp.Module):
    """Solves with advice."""

    signature = "bill, reader -> amount, advice"

    def __init__(self) -> None:
        self.advise = lp.Predict(Advise)
        self.solve = lp.Predict(Solve)

    async def aforward(self, bill: str, reader: str) -> Mapping[str, str]:
        """Ask the advisor first."""
        advice = (await self.advise.acall(reader=reader)).advice
        amount = (await self.solve.acall(bill=bill, advice=advice)).amount
        return {"amount": amount, "advice": advice}


program = Advised()


def metric(example: lp.Example, prediction: lp.Prediction) -> lp.Score:
    """Score 1 for the amount in the form that the reader wants."""
    right = prediction.amount.strip() == example.amount
    wants = f"{example.reader} wants {example.amount}: {example.advice}"
    return lp.Score(float(right), None if right else wants)


def examples(count: int = 60, seed: int = 0) -> list[lp.Example]:
    """Return different bills, each with its amount in the form that its reader wants.

    Args:
        count: How many.
        seed: Decides them.
    """
    rng = random.Random(f"advise/{seed}")
    rows: dict[tuple[str, str], lp.Example] = {}
    while len(rows) < count:
        reader = rng.choice(list(READERS))
        prices = [rng.randint(100, 4999) for _ in range(rng.randint(2, 3))]
        bill = ", ".join(f"{price // 100}.{price % 100:02d} EUR" for price in prices)
        rows.setdefault(
            (bill, reader),
            lp.Example(
                bill=bill,
                reader=reader,
                advice=READERS[reader][0],
                amount=write_amount(sum(prices), reader),
            ),
        )
    return list(rows.values())


def write_amount(cents: int, reader: str) -> str:
    """Return an amount in the form that a reader wants."""
    return READERS[reader][1].format(whole=cents // 100, cents=cents % 100, all=cents)
