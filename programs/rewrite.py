"""Shorten a message: draft, criticize, and revise while there is something to say.

Follows: Self-Refine: Iterative Refinement with Self-Feedback (Madaan et al., 2023). Differs: it
stops as soon as the critic has nothing to add; the number of revisions is a parameter (``rounds``)
that a compile may set, also to 0; draft, critic and reviser are predictors of their own, so that
each learns from its own demonstrations. The messages are generated.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from typing import Any

import langprog as lp

MOST_WORDS = 12
PEOPLE = ("Ada", "Ben", "Cleo", "Dan", "Eva", "Finn")
PLACES = ("harbor", "library", "station", "museum", "market", "garden")
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday")
PADDING = (
    "I hope that this message finds you well and that the week has treated you kindly so far.",
    "As you may or may not remember, we talked about this at some length the other day.",
    "Please do not hesitate to come back to me at any time if anything should be unclear.",
    "It would really mean a lot to everybody who is involved in this, one way or another.",
)


class Draft(lp.Signature):
    """Rewrite the message in at most 12 words; keep who, where, when and how many."""

    message: str = lp.Input()
    rewritten: str = lp.Output()


class Criticize(lp.Signature):
    """Say what the short version lacks or has too much of: at most 12 words, nothing lost."""

    message: str = lp.Input()
    rewritten: str = lp.Input("the short version")
    critique: str = lp.Output("what to change; 'none' if nothing is to be changed")


class Revise(lp.Signature):
    """Write the short version again, as the critique asks for."""

    message: str = lp.Input()
    rewritten: str = lp.Input("the short version so far")
    critique: str = lp.Input()
    revised: str = lp.Output("the new short version")


class Rewrite(lp.Module):
    """Drafts and revises.

    Args:
        rounds: How often it is revised at most.
    """

    signature = "message -> rewritten"

    def __init__(self, rounds: int = 2) -> None:
        self.draft = lp.Predict(Draft)
        self.criticize = lp.Predict(Criticize)
        self.revise = lp.Predict(Revise)
        self.rounds = rounds

    def own_parameters(self) -> dict[str, lp.Parameter]:
        """Return how often it is revised."""
        return {"rounds": lp.Parameter("choice", self.rounds)}

    def search_space(self) -> Mapping[str, Sequence[Any]]:
        """Return numbers of revisions."""
        return {"rounds": [0, 1, 2]}

    def calls_per_example(self) -> int:
        """Return the calls where every revision is made."""
        return 1 + 2 * self.rounds

    async def aforward(self, message: str) -> Mapping[str, str]:
        """Revise until the critic is satisfied."""
        text = (await self.draft.acall(message=message)).rewritten
        for _ in range(self.rounds):
            said = (await self.criticize.acall(message=message, rewritten=text)).critique
            if said.strip().strip(".'\"").casefold() in ("none", ""):
                break
            revised = await self.revise.acall(message=message, rewritten=text, critique=said)
            text = revised.revised
        return {"rewritten": text}


program = Rewrite()


def metric(example: lp.Example, prediction: lp.Prediction) -> lp.Score:
    """Score the facts that are kept, half of it where the text is too long."""
    words = re.findall(r"\w+", prediction.rewritten)
    known = {word.casefold() for word in words}
    lost = [fact for fact in example.facts if fact.casefold() not in known]
    said = [f"{len(words)} words, {MOST_WORDS} are allowed"] if len(words) > MOST_WORDS else []
    said += [f"lost: {', '.join(lost)}"] if lost else []
    kept = 1 - len(lost) / len(example.facts)
    return lp.Score(kept / 2 if len(words) > MOST_WORDS else kept, "; ".join(said) or None)


def examples(count: int = 60, seed: int = 0) -> list[lp.Example]:
    """Return different messages, each with a short version and its facts.

    Args:
        count: How many.
        seed: Decides them.
    """
    rng = random.Random(f"rewrite/{seed}")
    rows: dict[str, lp.Example] = {}
    while len(rows) < count:
        who, where, day = rng.choice(PEOPLE), rng.choice(PLACES), rng.choice(DAYS)
        number = str(rng.randint(2, 40))
        core = f"{who} needs {number} chairs at the {where} on {day}."
        before, after = rng.sample(PADDING, 2)
        message = f"{before} {core} {after}"
        row = lp.Example(message=message, rewritten=core, facts=[who, number, where, day])
        rows.setdefault(message, row)
    return list(rows.values())
