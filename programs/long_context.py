"""Answer from a document that is too long to be read at once: choose parts, read, combine.

Follows: Long-Context LLMs Meet RAG (Jin et al., 2024) and Drowning in Documents (Jacob et al.,
2024): more passages, and more of them reranked, help only up to a point, then they harm. Differs:
both numbers are parameters (``passages``, ``depth``) that a compile sets on your data, instead of
a rule; parts are scored by shared words, the first ``depth`` of them again by the model, and the
best ``passages`` are read one by one (map) before the answer is given from the notes (reduce). The
documents are generated.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

import langprog as lp
from langprog.evaluation import exact
from programs._places import draw_people

SENTENCES = 4  # in a part
FILLING = (
    "The road there is long and the inns are few.",
    "It rained for most of the week.",
    "Travellers speak well of the bread.",
    "The bridge was under repair when we came by.",
    "Nobody could tell us more about it.",
    "The market is held on the first day of the month.",
)


class Relevance(lp.Signature):
    """Say how likely it is that the passage helps to answer the question, from 0 to 1."""

    question: str = lp.Input()
    passage: str = lp.Input()
    relevance: float = lp.Output(ge=0, le=1)


class Note(lp.Signature):
    """Write down what the passage says about the question; write "nothing" if it says nothing."""

    question: str = lp.Input()
    passage: str = lp.Input()
    note: str = lp.Output("a sentence")


class Combine(lp.Signature):
    """Answer the question from the notes, in as few words as possible."""

    question: str = lp.Input()
    notes: list[str] = lp.Input("from several passages; some say nothing")
    answer: str = lp.Output()


class LongContext(lp.Module):
    """Choose parts of a document, read them, and answer.

    Args:
        passages: How many parts are read.
        depth: How many are ranked by the model; 0 ranks by shared words alone.
    """

    def __init__(self, passages: int = 1, depth: int = 0) -> None:
        self.passages = passages
        self.depth = depth
        self.relevance = lp.Predict(Relevance)
        self.note = lp.Predict(Note)
        self.combine = lp.Predict(Combine)

    def own_parameters(self) -> dict[str, lp.Parameter]:
        """Return how many parts are read and ranked."""
        return {
            "passages": lp.Parameter("k", self.passages),
            "depth": lp.Parameter("k", self.depth),
        }

    def search_space(self) -> Mapping[str, Sequence[int]]:
        """Return the numbers to try."""
        return {"passages": (1, 2, 4), "depth": (0, 4, 8)}

    def calls_per_example(self) -> int:
        """Return the calls of ranking, reading and combining."""
        return self.depth + self.passages + 1

    async def aforward(self, question: str, document: str) -> Mapping[str, Any]:
        """Split, rank, read and combine."""
        parts = rank_by_words(question, split(document))
        if self.depth:
            first = parts[: self.depth]
            ratings = await asyncio.gather(
                *(self.relevance.acall(question=question, passage=each) for each in first)
            )
            order = sorted(range(len(first)), key=lambda place: -ratings[place].relevance)
            parts = [first[place] for place in order] + parts[self.depth :]
        read = await asyncio.gather(
            *(self.note.acall(question=question, passage=each) for each in parts[: self.passages])
        )
        notes = [each.note for each in read]
        return {"answer": (await self.combine.acall(question=question, notes=notes)).answer}


def split(document: str) -> list[str]:
    """Return the parts of a document, a few sentences each."""
    sentences = re.split(r"(?<=[.!?])\s+", document.strip())
    return [
        " ".join(sentences[start : start + SENTENCES])
        for start in range(0, len(sentences), SENTENCES)
    ]


def rank_by_words(question: str, parts: Sequence[str]) -> list[str]:
    """Return the parts, those that share most words with the question first."""
    asked = set(re.findall(r"\w+", question.lower()))
    return sorted(parts, key=lambda part: -len(asked & set(re.findall(r"\w+", part.lower()))))


program = LongContext()
metric = exact("answer")


def examples(count: int = 45, seed: int = 0) -> list[lp.Example]:
    """Return questions about travel reports of about forty sentences.

    Args:
        count: How many.
        seed: Decides them.
    """
    rng = Random(f"long_context/{seed}")
    rows = []
    for number in range(count):
        people = draw_people(seed * 1000 + number, 8, towns=8)
        person = rng.choice(people)
        sentences = [line for each in people for line in each.sentences()]
        sentences += [line for each in people for line in each.town.sentences()]
        sentences += rng.choices(FILLING, k=10)
        rng.shuffle(sentences)
        question = f"What is the trade of {person.name}?"
        rows.append(
            lp.Example(question=question, document=" ".join(sentences), answer=person.trade)
        )
    return rows
