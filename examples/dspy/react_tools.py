"""An agent with three tools in DSPy 3.4.1."""

from datetime import date, time
from decimal import Decimal
from typing import Literal

import dspy

DEPARTURES = {"Orvane": ["07:40", "12:15"], "Halden": ["09:05"]}  # a list of times fails here
FARES = {"Orvane": Decimal("18.50"), "Halden": Decimal("9.00")}
RATES = {"USD": Decimal("1.10"), "GBP": Decimal("0.85")}


def departures(harbor: str, day: date) -> list[str]:
    """List when ferries leave for a harbor; none on Sundays."""
    return [] if day.isoweekday() == 7 else DEPARTURES[harbor]


def fare(harbor: str, adults: int, children: int = 0) -> Decimal:
    """Return what the crossing costs in euros."""
    return FARES[harbor] * (adults + Decimal("0.5") * children)


def convert(euros: Decimal, currency: Literal["USD", "GBP"]) -> Decimal:
    """Convert euros to another currency."""
    return (euros * RATES[currency]).quantize(Decimal("0.01"))


class Trip(dspy.Signature):
    """Answer the traveller."""

    question: str = dspy.InputField()
    leaves: time = dspy.OutputField(desc="the first ferry")
    dollars: Decimal = dspy.OutputField(desc="what it costs for all of them")


if __name__ == "__main__":
    lm = dspy.LM("openai/gpt-6-luna")
    dspy.configure(lm=lm)
    agent = dspy.ReAct(Trip, tools=[departures, fare, convert], max_iters=6)
    result = agent(question="To Orvane on 3 May 2025, two adults and a child: when, and how much?")
    print(f"{result.leaves:%H:%M} for ${result.dollars}, in {len(lm.history)} calls")
