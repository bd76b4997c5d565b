"""An agent with three tools: typed functions, called natively where the endpoint can do that.

python examples/react_tools.py    # with OPENAI_API_KEY, or OPENAI_BASE_URL
"""

from datetime import date, time
from decimal import Decimal
from typing import Literal

import langprog as lp

DEPARTURES = {"Orvane": [time(7, 40), time(12, 15)], "Halden": [time(9, 5)]}
FARES = {"Orvane": Decimal("18.50"), "Halden": Decimal("9.00")}
RATES = {"USD": Decimal("1.10"), "GBP": Decimal("0.85")}


def departures(harbor: str, day: date) -> list[time]:
    """List when ferries leave for a harbor; none on Sundays."""
    return [] if day.isoweekday() == 7 else DEPARTURES[harbor]


def fare(harbor: str, adults: int, children: int = 0) -> Decimal:
    """Return what the crossing costs in euros."""
    return FARES[harbor] * (adults + Decimal("0.5") * children)


def convert(euros: Decimal, currency: Literal["USD", "GBP"]) -> Decimal:
    """Convert euros to another currency."""
    return (euros * RATES[currency]).quantize(Decimal("0.01"))


class Trip(lp.Signature):
    """Answer the traveller."""

    question: str = lp.Input()
    leaves: time = lp.Output("the first ferry")
    dollars: Decimal = lp.Output("what it costs for all of them")


if __name__ == "__main__":
    lp.configure(lm="openai/gpt-6-luna")
    agent = lp.ReAct(Trip, tools=[departures, fare, convert], max_steps=6)
    result = agent(question="To Orvane on 3 May 2025, two adults and a child: when, and how much?")
    print(f"{result.leaves:%H:%M} for ${result.dollars}, in {result.usage.calls} calls")
