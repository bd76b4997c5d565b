"""Extract a typed record from a text: who orders what, how many, for when.

Follows: Large Language Models are Few-Shot Clinical Information Extractors (Agrawal et al., 2022).
Differs: the record is a set of typed fields (a date, a whole number), which the reply is checked
against; what is out of range is asked for again; the orders are generated.
"""

from __future__ import annotations

import datetime
import random

import langprog as lp

PEOPLE = ("Ada Kerr", "Ben Lund", "Cleo Marsh", "Dan Nolan", "Eva Brandt", "Finn Hollis")
GOODS = ("chairs", "lamps", "tables", "mirrors", "shelves", "carpets", "clocks", "benches")
FIRST = datetime.date(2025, 1, 1)
FORMS = (
    "{who} here: we would like {n} {what}, delivered on {when} please.",
    "Hello, please send {n} {what} by {when}. Kind regards, {who}",
    "For {when} I need {n} {what}. The old ones are broken. {who}",
    "Order of {who}. Number of {what}: {n}. Date of delivery: {when}. Thank you!",
)


class Extract(lp.Signature):
    """Read the order and fill in the record, exactly as the message says."""

    message: str = lp.Input()
    customer: str = lp.Output("first and last name")
    item: str = lp.Output("what is ordered, one word")
    count: int = lp.Output("how many", ge=1, le=500)
    delivery: datetime.date = lp.Output("the day of delivery, YYYY-MM-DD")


FIELDS = ("customer", "item", "count", "delivery")
program = lp.Predict(Extract)


def metric(example: lp.Example, prediction: lp.Prediction) -> lp.Score:
    """Score the share of the fields that are right."""
    wrong = [
        f"{name} is {example[name]}"
        for name in FIELDS
        if str(prediction[name]).strip().lower() != str(example[name]).lower()
    ]
    return lp.Score(1 - len(wrong) / len(FIELDS), "; ".join(wrong) or None)


def examples(count: int = 100, seed: int = 0) -> list[lp.Example]:
    """Return different orders.

    Args:
        count: How many.
        seed: Decides them.
    """
    rng = random.Random(f"extract/{seed}")
    rows: dict[str, lp.Example] = {}
    while len(rows) < count:
        who, what, number = rng.choice(PEOPLE), rng.choice(GOODS), rng.randint(2, 60)
        day = FIRST + datetime.timedelta(days=rng.randrange(365))
        said = rng.choice((day.isoformat(), f"{day:%d %B %Y}", f"{day:%B} {day.day}, {day.year}"))
        message = rng.choice(FORMS).format(who=who, what=what, n=number, when=said)
        row = lp.Example(
            message=message, customer=who, item=what, count=number, delivery=day.isoformat()
        )
        rows.setdefault(message, row)
    return list(rows.values())
