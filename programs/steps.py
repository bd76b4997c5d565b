"""Search over steps of reasoning: propose the next step, score it, keep the best paths.

Follows: A Probabilistic Inference Approach to Inference-Time Scaling of LLMs using Particle-Based
Monte Carlo Methods (Puri et al., 2025) and A*-Decoding (Chatziveroglou, 2025). Differs: the scorer
is another call of an endpoint, not a trained reward model; how many paths are kept and how many
steps are taken are parameters (``width``, ``depth``) that a compile sets; :func:`make_program`
makes the beam and the best-first form of the same. The tasks are generated: edit a word step by
step, as in a procedure.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Literal

import langprog as lp
from langprog.evaluation import exact

WORDS = ("lantern", "harbor", "meadow", "copper", "velvet", "orchard", "pilot", "marble", "ribbon")
EDITS: Mapping[str, Callable[[str], str]] = MappingProxyType(
    {
        "reverse it": lambda word: word[::-1],
        "drop the first letter": lambda word: word[1:],
        "drop the last letter": lambda word: word[:-1],
        "write the last letter twice": lambda word: word + word[-1:],
        "move the first letter to the end": lambda word: word[1:] + word[:1],
    }
)


class Edit(lp.Signature):
    """Carry out the procedure on the word, one edit a step, and give the word at the end."""

    procedure: str = lp.Input()
    result: str = lp.Output("the word after all edits")


class Judge(lp.Signature):
    """Say how likely it is that all steps so far follow the procedure, from 0 to 1."""

    procedure: str = lp.Input()
    steps: list[str] = lp.Input()
    right: float = lp.Output(ge=0, le=1)


def make_program(strategy: Literal["particles", "astar", "beam"]) -> lp.StepSearch:
    """Return the program with another strategy of search."""
    return lp.StepSearch(
        Edit, judge=lp.Predict(Judge), strategy=strategy, width=2, depth=4, resampling=0.1
    )


program = make_program("particles")
metric = exact("result")


def examples(count: int = 45, seed: int = 0) -> list[lp.Example]:
    """Return procedures of two to four edits.

    Args:
        count: How many.
        seed: Decides them.
    """
    rng = random.Random(f"steps/{seed}")
    rows: dict[str, lp.Example] = {}
    while len(rows) < count:
        word = rng.choice(WORDS)
        edits = rng.choices(list(EDITS), k=rng.randint(2, 4))
        procedure = f"Take the word {word}. Then {', then '.join(edits)}."
        for edit in edits:
            word = EDITS[edit](word)
        rows.setdefault(procedure, lp.Example(procedure=procedure, result=word))
    return list(rows.values())
