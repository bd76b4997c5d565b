"""Find the odd one out: ask what each word could be, then add up probabilities in code.

Follows: ThinkSum: Probabilistic Reasoning over Sets Using Large Language Models (Ozturkler et al.,
2023): Think asks the model about the parts of an input, in parallel and one at a time; Sum, which
is code, joins what it says. Differs: Think asks for a distribution in words and numbers instead of
reading token probabilities, which many endpoints do not give; names are joined by their stems. The
word sets are written for this.
"""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Mapping, Sequence
from types import MappingProxyType

import langprog as lp
from langprog.errors import InputError

GROUPS: Mapping[str, Sequence[str]] = MappingProxyType(
    {
        "fruit": ("apple", "plum", "cherry", "pear", "orange", "peach"),
        "animal": ("otter", "crane", "seal", "bat", "mole", "bear"),
        "tool": ("hammer", "drill", "plane", "saw", "file", "wrench"),
        "color": ("red", "olive", "violet", "orange", "teal", "plum"),
        "metal": ("iron", "lead", "zinc", "copper", "silver", "nickel"),
    }
)
# The share of a word's probability that is left for kinds that nobody named.
REST = 0.05
FEWEST = 3


class Classify(lp.Signature):
    """Say which kinds of things the word can name, and how probable each is, in 100."""

    word: str = lp.Input()
    kinds: dict[str, int] = lp.Output("from kind, a general noun, to its share of 100")


class OddOneOut(lp.Module):
    """Finds the word that shares no kind with the others."""

    signature = "words: list[str] -> odd, kind"

    def __init__(self) -> None:
        self.think = lp.Predict(Classify)

    async def aforward(self, words: list[str]) -> Mapping[str, str]:
        """Ask about every word, and find the most probable explanation.

        Raises:
            InputError: There are fewer than three words, so that none is the odd one.
        """
        if len(words) < FEWEST:
            raise InputError(f"words has {len(words)}: give {FEWEST} or more to find an odd one")
        thoughts = await asyncio.gather(*(self.think.acall(word=word) for word in words))
        return find_odd([as_distribution(each.kinds) for each in thoughts], words)


program = OddOneOut()


def as_distribution(kinds: Mapping[str, int]) -> dict[str, float]:
    """Return shares that sum to 1 - REST, by the stem of the kind's name."""
    shares: dict[str, float] = {}
    for kind, share in kinds.items():
        stem = kind.strip().casefold().removesuffix("s")
        shares[stem] = shares.get(stem, 0.0) + max(0, share)
    total = math.fsum(shares.values())
    return {kind: (1 - REST) * share / total for kind, share in shares.items() if total}


def find_odd(kinds: Sequence[Mapping[str, float]], words: Sequence[str]) -> dict[str, str]:
    """Return the word and the kind for which this is most probable: all others are of the kind.

    Args:
        kinds: For each word, the probability of each kind.
        words: The words.
    """
    explanations = [
        (
            (1 - kinds[odd].get(kind, 0.0))
            * math.prod(each.get(kind, REST / 10) for at, each in enumerate(kinds) if at != odd),
            word,
            kind,
        )
        for odd, word in enumerate(words)
        for kind in sorted({kind for each in kinds for kind in each})
    ]
    if not explanations:
        return {"odd": words[0], "kind": ""}
    _, odd_word, kind = max(explanations, key=_probability)
    return {"odd": odd_word, "kind": kind}


def _probability(explanation: tuple[float, str, str]) -> float:
    return explanation[0]


def metric(example: lp.Example, prediction: lp.Prediction) -> lp.Score:
    """Score 1 for the odd word."""
    right = prediction.odd == example.odd
    return lp.Score(float(right), None if right else f"{example.odd} does not fit")


def examples(count: int = 60, seed: int = 0) -> list[lp.Example]:
    """Return different sets of four words, one of which does not fit.

    Args:
        count: How many.
        seed: Decides them.
    """
    rng = random.Random(f"think_sum/{seed}")
    rows: dict[tuple[str, ...], lp.Example] = {}
    while len(rows) < count:
        kind, other = rng.sample(list(GROUPS), 2)
        odd = rng.choice([word for word in GROUPS[other] if word not in GROUPS[kind]])
        words = [*rng.sample(GROUPS[kind], 3), odd]
        if not any(set(words) <= set(group) for group in GROUPS.values()):
            rng.shuffle(words)
            rows.setdefault(tuple(words), lp.Example(words=words, odd=odd))
    return list(rows.values())
