"""Answer a question from passages that are looked up (RAG).

Follows: Retrieval-Augmented Generation for Knowledge-Intensive NLP Tasks (Lewis et al., 2020).
Differs: the model reads the passages in its prompt and nothing is trained; how many passages are
read is a parameter (``k``), which a compile sets. The corpus is an invented atlas, so that no
model knows an answer by heart; for your own, put another retriever into ``lp.Retrieve``.
"""

from __future__ import annotations

import random

import langprog as lp
from langprog.evaluation import exact
from programs._places import draw_people, write_passages

NEEDS = ("retrieval",)
PEOPLE = draw_people(0, 60)


class Answer(lp.Signature):
    """Answer the question from the passages alone, in as few words as possible."""

    question: str = lp.Input()
    passages: list[str] = lp.Input("what a search found; some may be about something else")
    answer: str = lp.Output()


program = lp.Pipeline(
    look_up=lp.Retrieve(
        lp.BM25Retriever(write_passages(PEOPLE), name="atlas"),
        k=2,
        query="question",
        keep_corpus=True,
    ),
    answer=lp.Predict(Answer),
)
metric = exact("answer")


def examples(count: int = 80, seed: int = 0) -> list[lp.Example]:
    """Return questions about people and towns of the atlas.

    Args:
        count: How many, at most 100.
        seed: Decides which.
    """
    asked: dict[str, str] = {}
    for person in PEOPLE:
        asked[f"Where was {person.name} born?"] = person.town.name
        asked[f"What is the trade of {person.name}?"] = person.trade
        asked[f"On which river does {person.town.name} lie?"] = person.town.river
        asked[f"In which year was {person.town.name} founded?"] = str(person.town.founded)
    questions = random.Random(f"retrieve_answer/{seed}").sample(sorted(asked), count)
    return [lp.Example(question=question, answer=asked[question]) for question in questions]
