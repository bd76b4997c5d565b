"""Answer a question that takes several searches, each of which builds on what was read.

Follows: Demonstrate-Search-Predict (Khattab et al., 2022): the model writes a query, reads what it
finds, writes the next one, and answers; a compile demonstrates every hop from runs that ended
right. Differs: the number of hops and of passages are parameters that a compile sets; a passage is
read once, however often it is found. The corpus is an invented atlas.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any

import langprog as lp
from langprog.evaluation import exact
from programs._places import draw_people, write_passages

NEEDS = ("retrieval",)
PEOPLE = draw_people(1, 70)


class NextQuery(lp.Signature):
    """Write a search query for what the question needs and the notes do not say yet."""

    question: str = lp.Input()
    notes: list[str] = lp.Input("passages that were read so far")
    query: str = lp.Output("a name or a few words")


class Answer(lp.Signature):
    """Answer the question from the notes, in as few words as possible."""

    question: str = lp.Input()
    notes: list[str] = lp.Input()
    answer: str = lp.Output()


class MultiHop(lp.Module):
    """Search ``hops`` times, then answer.

    Args:
        hops: Number of searches.
    """

    def __init__(self, hops: int = 1) -> None:
        self.hops = hops
        self.next_query = lp.ChainOfThought(NextQuery)
        self.search = lp.Retrieve(
            lp.BM25Retriever(write_passages(PEOPLE), name="atlas"), k=2, keep_corpus=True
        )
        self.answer = lp.Predict(Answer)

    def own_parameters(self) -> dict[str, lp.Parameter]:
        """Return the number of hops."""
        return {"hops": lp.Parameter("k", self.hops)}

    def search_space(self) -> Mapping[str, Sequence[int]]:
        """Return the numbers of hops to try."""
        return {"hops": (1, 2, 3)}

    async def aforward(self, question: str) -> Mapping[str, Any]:
        """Search, read, search again, and answer."""
        notes: list[str] = []
        for _ in range(self.hops):
            asked = await self.next_query.acall(question=question, notes=notes)
            passages = (await self.search.acall(query=asked.query)).passages
            notes += [text for text in passages if text not in notes]
        answered = await self.answer.acall(question=question, notes=notes)
        return {"answer": answered.answer, "notes": notes}


program = MultiHop()
metric = exact("answer")


def examples(count: int = 60, seed: int = 0) -> list[lp.Example]:
    """Return questions of two hops: from a person to the town, and from there on.

    Args:
        count: How many, at most 140.
        seed: Decides which.
    """
    asked: dict[str, str] = {}
    for person in PEOPLE:
        town = person.town
        asked[f"On which river lies the birthplace of {person.name}?"] = town.river
        asked[f"When was the birthplace of {person.name} founded?"] = str(town.founded)
    questions = random.Random(f"multihop/{seed}").sample(sorted(asked), count)
    return [lp.Example(question=question, answer=asked[question]) for question in questions]
