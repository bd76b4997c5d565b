"""Pairs of messages with the verdict of a hidden taste: a judging task for the embedded models.

The better message is the one that has a cue: it is urgent, or polite, or about the past. Its
opposite has another cue of the same kind. The instruction does not say which, so that it has to be
learned from verdicts.
"""

from __future__ import annotations

import random
from typing import Literal

import langprog as lp
from langprog.pocket.world import classify


class Prefer(lp.Signature):
    """Say which message is better."""

    first: str = lp.Input()
    second: str = lp.Input()
    better: Literal["first", "second"] = lp.Output()


def make_pairs(count: int, seed: int) -> list[lp.Example]:
    """Return different pairs, in either of which orders the better message comes as often.

    Args:
        count: How many.
        seed: Decides the taste and the messages.
    """
    rng = random.Random(f"preferences/{seed}")
    task = classify.draw_labelling(rng, "held", count=2, natural=True, cues=True)
    good, bad = task.groups
    pairs: dict[tuple[str, str], lp.Example] = {}
    while len(pairs) < count:
        liked, other = (classify.draw_row(rng, task, group)[0] for group in (good, bad))
        better = rng.choice(("first", "second"))
        first, second = (liked, other) if better == "first" else (other, liked)
        pairs.setdefault((liked, other), lp.Example(first=first, second=second, better=better))
    return list(pairs.values())
