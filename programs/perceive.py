"""Answer from many facts: pick the few that matter, put them in order, then reason.

Follows: Concise and Organized Perception Facilitates Reasoning in Large Language Models (COP; Liu
et al., 2023): irrelevant and unordered premises mislead a model, so they are condensed and
organized first. Differs: a picked fact has to be one of those given, word for word, which code
checks and asks for again; facts are picked from parts of the list at once, so that a list of any
length fits; the facts are generated.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping
from typing import Literal

import langprog as lp

PART = 12  # facts that are looked through at once
KINDS = ("wug", "dax", "blick", "fep", "toma", "zib", "lorp", "gazzer", "tulver", "mib")
TRAITS = ("red", "loud", "cold", "round", "heavy", "quick")
NAMES = ("Rex", "Sam", "Max", "Pip")


class Pick(lp.Signature):
    """Copy the facts that may help to answer the question, word for word; leave out the others."""

    question: str = lp.Input()
    facts: list[str] = lp.Input()
    picked: list[str] = lp.Output()


class Organize(lp.Signature):
    """Put the facts in the order in which each follows from the one before."""

    question: str = lp.Input()
    facts: list[str] = lp.Input()
    ordered: list[str] = lp.Output()


class Conclude(lp.Signature):
    """Answer the question from the facts alone."""

    question: str = lp.Input()
    facts: list[str] = lp.Input()
    answer: Literal["yes", "no"] = lp.Output()


def is_copied(facts: list[str], picked: list[str]) -> bool | str:
    """Return whether every picked fact was given, or which was not."""
    made_up = [fact for fact in picked if fact not in facts]
    return not made_up or f"copy facts word for word; this one is not among them: {made_up[0]}"


class Perceive(lp.Module):
    """Condenses facts, and answers from what is left."""

    signature = "facts: list[str], question -> answer: Literal['yes', 'no']"

    def __init__(self) -> None:
        check = lp.Check(is_copied, "copy facts word for word")
        self.pick = lp.Predict(Pick, checks=[check])
        self.organize = lp.Predict(Organize)
        self.conclude = lp.Predict(Conclude)

    async def aforward(self, facts: list[str], question: str) -> Mapping[str, object]:
        """Pick from every part of the facts, order what was picked, and conclude."""
        parts = [facts[start : start + PART] for start in range(0, len(facts), PART)]
        picks = await asyncio.gather(
            *(self.pick.acall(question=question, facts=part) for part in parts)
        )
        kept = list(dict.fromkeys(fact for each in picks for fact in each.picked))
        order = (await self.organize.acall(question=question, facts=kept)).ordered
        # What the ordering lost comes last, and what it invented is left out.
        ordered = list(dict.fromkeys(fact for fact in [*order, *kept] if fact in kept))
        answer = (await self.conclude.acall(question=question, facts=ordered)).answer
        return {"answer": answer, "used": ordered}


program = Perceive()


def metric(example: lp.Example, prediction: lp.Prediction) -> lp.Score:
    """Score 1 for the right answer."""
    right = prediction.answer == example.answer
    used = f" (from: {' '.join(prediction.used)})" if "used" in prediction else ""
    return lp.Score(float(right), None if right else f"the answer is {example.answer}{used}")


def examples(count: int = 60, seed: int = 0) -> list[lp.Example]:
    """Return different lists of 24 facts, of which a chain of some answers the question.

    Args:
        count: How many.
        seed: Decides them.
    """
    rng = random.Random(f"perceive/{seed}")
    rows: dict[tuple[str, ...], lp.Example] = {}
    while len(rows) < count:
        kinds = rng.sample(KINDS, len(KINDS))
        traits = rng.sample(TRAITS, 2)
        name, other = rng.sample(NAMES, 2)
        steps = rng.randint(2, 4)
        chain = [f"{name} is a {kinds[0]}."]
        chain += [f"Every {kinds[at]} is a {kinds[at + 1]}." for at in range(steps - 1)]
        answer = rng.choice(("yes", "no"))
        word = "is" if answer == "yes" else "is not"
        chain.append(f"Every {kinds[steps - 1]} {word} {traits[0]}.")
        noise = [f"{other} is a {kinds[steps]}.", f"Every {kinds[steps]} is {traits[0]}."]
        noise += [f"Every {kinds[-1]} is not {traits[0]}."]
        aside = [f"{who} has seen a {kind}." for who in NAMES for kind in kinds]
        facts = [*chain, *noise, *rng.sample(aside, 24 - len(chain) - len(noise))]
        rng.shuffle(facts)
        question = f"Is {name} {traits[0]}?"
        row = lp.Example(facts=facts, question=question, answer=answer)
        rows.setdefault((*facts, question), row)
    return list(rows.values())
