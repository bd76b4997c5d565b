"""Answer from each search result by itself, and let the model choose among the answers.

Follows: Internet-augmented Language Models through Few-Shot Prompting for Open-Domain Question
Answering (Lazaridou et al., 2022): an answer for every retrieved paragraph, from a prompt with
demonstrations of question, evidence and answer; then the model reranks the answers. Differs: the
rank is what a judge says of question, paragraph and answer, as an endpoint has no probability of a
given text; the search engine is any retriever, here over an invented atlas; how many paragraphs
are read is a parameter (``k``).
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping
from typing import Any

import langprog as lp
from langprog.evaluation import exact
from programs._places import draw_people, write_passages

NEEDS = ("retrieval",)
PEOPLE = draw_people(2, 60)


class AnswerFrom(lp.Signature):
    """Answer the question from the evidence, in as few words as possible."""

    evidence: str = lp.Input("a paragraph that a search found")
    question: str = lp.Input()
    answer: str = lp.Output("from the evidence; a guess where it does not say")


class Rate(lp.Signature):
    """Say how sure it is that the evidence says that this is the answer, from 0 to 1."""

    evidence: str = lp.Input()
    question: str = lp.Input()
    answer: str = lp.Input()
    support: float = lp.Output(ge=0, le=1)


class SearchAnswer(lp.Module):
    """Search, answer from each paragraph, rate the answers, and return the best."""

    def __init__(self) -> None:
        self.search = lp.Retrieve(
            lp.BM25Retriever(write_passages(PEOPLE), name="atlas"),
            k=4,
            query="question",
            keep_corpus=True,
        )
        self.answer = lp.Predict(AnswerFrom)
        self.rate = lp.Predict(Rate)

    async def aforward(self, question: str) -> Mapping[str, Any]:
        """Answer; of equal ratings, that of the paragraph which the search puts first."""
        passages = (await self.search.acall(question=question)).passages
        if not passages:
            return {"answer": "", "support": 0.0, "evidence": ""}
        rated = await asyncio.gather(*(self._answer_from(question, each) for each in passages))
        return max(rated, key=lambda each: float(each["support"]))

    async def _answer_from(self, question: str, evidence: str) -> dict[str, Any]:
        answer = (await self.answer.acall(evidence=evidence, question=question)).answer
        rating = await self.rate.acall(evidence=evidence, question=question, answer=answer)
        return {"answer": answer, "support": rating.support, "evidence": evidence}


program = SearchAnswer()
metric = exact("answer")


def examples(count: int = 60, seed: int = 0) -> list[lp.Example]:
    """Return questions about people of the atlas.

    Args:
        count: How many, at most 120.
        seed: Decides which.
    """
    asked: dict[str, str] = {}
    for person in PEOPLE:
        asked[f"Which town is {person.name} from?"] = person.town.name
        asked[f"What does {person.name} do for a living?"] = person.trade
    questions = random.Random(f"search_answer/{seed}").sample(sorted(asked), count)
    return [lp.Example(question=question, answer=asked[question]) for question in questions]
