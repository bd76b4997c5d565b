"""Classify a text: one label out of a fixed list.

Follows: Language Models are Few-Shot Learners (Brown et al., 2020). Differs: the labels are a
type, each with a description that the model reads, and a reply outside them is refused; which
demonstrations are shown (fixed ones, or those nearest to the input) and with what instruction, a
compile decides. The data are made from word lists: messages to a public library.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Literal

import langprog as lp

TOPICS: Mapping[str, Sequence[str]] = MappingProxyType(
    {
        "loans": ("book", "novel", "shelf", "library", "magazine", "dictionary"),
        "rooms": ("room", "chair", "table", "window", "door", "desk"),
        "events": ("concert", "film", "music", "party", "theater", "festival"),
        "fees": ("bill", "payment", "refund", "invoice", "price", "fee"),
    }
)
FORMS = (
    "question about the {}",
    "my {} is wrong",
    "please tell me about the {} and the {}",
    "we need the {} before friday",
    "the {} was not there when I came for the {}",
    "is there another {} for us",
)


class Classify(lp.Signature):
    """Say which desk of the library answers the message."""

    message: str = lp.Input()
    desk: Literal["loans", "rooms", "events", "fees"] = lp.Output(
        lp.describe(
            {
                "loans": "books and other things to borrow",
                "rooms": "places to sit and work",
                "events": "concerts, films, festivals",
                "fees": "money",
            }
        )
    )


program = lp.Predict(Classify)


def metric(example: lp.Example, prediction: lp.Prediction) -> lp.Score:
    """Score 1 for the right desk."""
    right = prediction.desk == example.desk
    return lp.Score(float(right), None if right else f"this is for {example.desk}")


def examples(count: int = 100, seed: int = 0) -> list[lp.Example]:
    """Return different messages, as many for each desk.

    Args:
        count: How many, at most 200.
        seed: Decides them.
    """
    rng = random.Random(f"classify/{seed}")
    rows: dict[str, lp.Example] = {}
    desks = list(TOPICS)
    while len(rows) < count:
        desk = desks[len(rows) % len(desks)]
        message = rng.choice(FORMS).format(*rng.sample(TOPICS[desk], 2))
        rows.setdefault(message, lp.Example(message=message, desk=desk))
    return list(rows.values())
