"""Think only where it is needed: answer at once, and think where quick answers differ.

Follows: Reasoning Models Can Be Effective Without Thinking (Ma et al., 2025): several answers
without thinking, at the same time, can replace one long thought; s1: Simple Test-Time Scaling
(Muennighoff et al., 2025): a thought that reaches its budget is ended, and the answer is forced
from what was thought. Differs: how far the quick answers agree decides for each input whether to
think at all; the threshold, the length of a thought, the number of starts and the reasoning effort
are parameters that a compile sets; an endpoint cannot be made to go on with its own text, so a
forced answer is a call that is shown the unfinished thought, and a new start is a new sample.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Self

import langprog as lp
from langprog.errors import TruncatedError
from langprog.evaluation import exact
from langprog.runtime import sample_draw

COLOURS = ("red", "blue", "green", "white", "black", "yellow")
TEMPERATURE = 0.7


class Quick(lp.Signature):
    """Give the answer at once, without working it out."""

    question: str = lp.Input()
    answer: int = lp.Output()


class Worked(lp.Signature):
    """Work the question out step by step, then give the answer."""

    question: str = lp.Input()
    answer: int = lp.Output()


class Forced(lp.Signature):
    """Give the answer now, from what was thought so far."""

    question: str = lp.Input()
    thought: str = lp.Input("unfinished")
    answer: int = lp.Output()


class Think(lp.Module):
    """Think within a budget, start anew if that was not enough, and force an answer at last.

    Args:
        tokens: Longest reply with a thought.
        starts: How often thinking is tried.
    """

    signature = Worked

    def __init__(self, tokens: int = 400, starts: int = 1) -> None:
        self.tokens = tokens
        self.starts = starts
        self.think = lp.ChainOfThought(Worked, max_tokens=tokens)
        self.force = lp.Predict(Forced)

    def own_parameters(self) -> dict[str, lp.Parameter]:
        """Return the length of a thought and the number of starts."""
        return {
            "tokens": lp.Parameter("k", self.tokens),
            "starts": lp.Parameter("k", self.starts),
        }

    def search_space(self) -> Mapping[str, Sequence[int]]:
        """Return the values to try."""
        return {"tokens": (100, 400, 1600), "starts": (1, 2, 3)}

    def with_own_parameters(self, values: Mapping[str, Any]) -> Self:
        """Return a copy with these values; the predictor of thoughts has the length, too."""
        new = super().with_own_parameters(values)
        sampling = replace(self.think.predict.sampling, max_tokens=new.tokens)
        vars(new)["think"] = self.think.with_parameters({"predict.sampling": sampling})
        return new

    async def aforward(self, question: str) -> Mapping[str, Any]:
        """Think; where no thought comes to its end, answer from the last."""
        thought = ""
        for number in range(self.starts):
            try:
                with sample_draw(number, TEMPERATURE):
                    return {"answer": (await self.think.acall(question=question)).answer}
            except TruncatedError as error:
                thought = error.text
        return {"answer": (await self.force.acall(question=question, thought=thought)).answer}


program = lp.Cascade(
    [lp.Predict(Quick), Think()], thresholds=[0.9], signal=lp.signals.Agreement(3)
)
metric = exact("answer")


def examples(count: int = 60, seed: int = 0) -> list[lp.Example]:
    """Return questions of how many there are in all, half of them trivial.

    Args:
        count: How many.
        seed: Decides them.
    """
    rng = random.Random(f"think_short/{seed}")
    rows: dict[str, lp.Example] = {}
    while len(rows) < count:
        kinds = rng.sample(COLOURS, 1 if len(rows) % 2 else rng.randint(4, 6))
        numbers = [rng.randint(2, 40) for _ in kinds]
        parts = [f"{number} {kind}" for number, kind in zip(numbers, kinds, strict=True)]
        question = f"A box has {', '.join(parts)} balls. How many balls are in it?"
        rows.setdefault(question, lp.Example(question=question, answer=sum(numbers)))
    return list(rows.values())
