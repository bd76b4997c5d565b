"""Retrievers of every kind over one corpus, as the contract suite and others take them."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import ClassVar

import langprog as lp

CAPITALS = lp.Corpus(
    [
        {"id": "fr", "text": "Paris is the capital of France.", "title": "France"},
        {"id": "it", "text": "Rome is the capital of Italy.", "title": "Italy"},
        {"id": "es", "text": "Madrid is the capital of Spain.", "title": "Spain"},
        {"id": "jp", "text": "Tokyo is the capital of Japan.", "title": "Japan"},
        {"id": "sea", "text": "Boats sail by night.", "title": "Boats"},
    ]
)
WORDS = sorted({word for text in CAPITALS.texts for word in re.findall(r"\w+", text.lower())})


def counts(texts: list[str]) -> list[list[float]]:
    """Embed texts by their words; the last dimension keeps a vector from being all zeros."""
    split = [re.findall(r"\w+", text.lower()) for text in texts]
    return [[*(float(words.count(word)) for word in WORDS), 0.1] for words in split]


async def counts_later(texts: list[str]) -> list[list[float]]:
    await asyncio.sleep(0)
    return counts(texts)


def shared_words(query: str, k: int) -> list[lp.Passage]:
    asked = set(re.findall(r"\w+", query.lower()))
    scored = [(len(asked & set(re.findall(r"\w+", each.text.lower()))), each) for each in CAPITALS]
    best = sorted(scored, key=lambda pair: -pair[0])
    return [lp.Passage(each.text, float(n), each.id, each.metadata) for n, each in best if n][:k]


async def shared_words_later(query: str, k: int) -> list[lp.Passage]:
    await asyncio.sleep(0)
    return shared_words(query, k)


class Own(lp.Retriever):
    """What somebody else would write."""

    kind: ClassVar[str] = "own"

    @property
    def corpus_digest(self) -> str:
        return CAPITALS.digest

    async def search(self, query: str, k: int) -> list[lp.Passage]:
        return shared_words(query, k)


def bm25() -> lp.Retriever:
    return lp.BM25Retriever(CAPITALS)


def embedding() -> lp.Retriever:
    return lp.EmbeddingRetriever(CAPITALS, counts, embedder="counts")


def embedding_later() -> lp.Retriever:
    return lp.EmbeddingRetriever(CAPITALS, counts_later, embedder="counts", batch=2)


def hybrid() -> lp.Retriever:
    return lp.HybridRetriever([bm25(), embedding_later()])


def function() -> lp.Retriever:
    return lp.FunctionRetriever(shared_words, corpus=CAPITALS.digest)


def function_later() -> lp.Retriever:
    return lp.FunctionRetriever(shared_words_later, corpus=CAPITALS.digest)


MEMBERS: list[Callable[[], lp.Retriever]] = [
    bm25,
    embedding,
    embedding_later,
    hybrid,
    function,
    function_later,
    Own,
]
