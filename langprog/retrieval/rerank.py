"""Two stages: a quick retriever finds candidates, a better one ranks them."""

from __future__ import annotations

import copy
import inspect
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from langprog.errors import InputError, ServerError
from langprog.hints import with_hints
from langprog.retrieval.asking import passages_from
from langprog.retrieval.base import Retriever, spec_of
from langprog.retrieval.corpus import Corpus
from langprog.retrieval.elsewhere import OF_A_RETRIEVER
from langprog.retrieval.late_interaction import LateInteractionRetriever
from langprog.retrieval.passage import Passage, check_count, check_query
from langprog.runtime import call_in_worker

Reranker = Callable[[str, list[str]], Any]
"""Takes a query and texts, and returns a score for each, higher for better; may be ``async``."""


class RerankRetriever(Retriever):
    """Ranks the candidates of another retriever anew.

    Example::

        import langprog as lp

        def count_words(query, texts):
            return [sum(word in text for word in query.split()) for text in texts]

        first = lp.BM25Retriever(["a red ball", "a red car", "a blue car"])
        toys = lp.RerankRetriever(first, rerank=count_words, reranker="count words", depth=2)
        assert toys("red car", k=1)[0].text == "a red car"

    Follows: Passage Re-ranking with BERT (Nogueira and Cho, 2019), in its two stages. Differs: any
    function scores; of equal scores, the first stage's order decides.

    Args:
        first: What finds the candidates.
        rerank: A function of the query and the candidates' texts that returns a score for each,
            perhaps ``async``; or an lp.LateInteractionRetriever of the same corpus.
        reranker: Identifies that function, such as a model and its revision; an artifact stores
            it. A retriever needs none.
        depth: How many candidates are ranked, at least ``k``. A compile searches it where an
            lp.Retrieve asks this retriever.
        name: Its name for ``lp.load``.

    Raises:
        InputError: An argument is wrong, or the two search different corpora.
    """

    kind: ClassVar[str] = "rerank"
    reranks: ClassVar[bool] = True

    @with_hints(OF_A_RETRIEVER)
    def __init__(
        self,
        first: Retriever,
        rerank: Reranker | LateInteractionRetriever,
        *,
        reranker: str = "",
        depth: int = 50,
        name: str = "",
    ) -> None:
        if not isinstance(first, Retriever):
            raise InputError(f"first= of a RerankRetriever is a {type(first).__name__}")
        late = isinstance(rerank, LateInteractionRetriever)
        if not late and (isinstance(rerank, (Retriever, type)) or not callable(rerank)):
            raise InputError(
                "rerank= of a RerankRetriever is a function of a query and texts, or an "
                f"lp.LateInteractionRetriever, not a {type(rerank).__name__}"
            )
        if not late and not reranker.strip():
            raise InputError("reranker= names the function, such as a model and its revision")
        if isinstance(rerank, Retriever) and rerank.corpus_digest != first.corpus_digest:
            raise InputError("the two stages of a RerankRetriever search different corpora")
        self._first = first
        self._rerank = rerank
        self._reranker = reranker
        self.depth = check_count(depth, "depth of a RerankRetriever")
        self.name = name

    @property
    def corpus(self) -> Corpus | None:
        """The documents that the first stage searches, if they are here."""
        return self._first.corpus

    @property
    def corpus_digest(self) -> str | None:
        """The identifier of the first stage's corpus."""
        return self._first.corpus_digest

    def options(self) -> dict[str, Any]:
        """Return the kinds and options of both stages; not the depth, which may be searched."""
        first = spec_of(self._first)
        options: dict[str, Any] = {"first": {"kind": first.kind, "options": dict(first.options)}}
        if isinstance(self._rerank, Retriever):
            last = spec_of(self._rerank)
            return {**options, "rerank": {"kind": last.kind, "options": dict(last.options)}}
        return {**options, "reranker": self._reranker}

    def with_depth(self, depth: int) -> RerankRetriever:
        """Return a copy that ranks this many candidates.

        Raises:
            InputError: It is not a number of passages.
        """
        new = copy.copy(self)
        new.depth = check_count(depth, "depth of a RerankRetriever")
        return new

    async def search(self, query: str, k: int) -> list[Passage]:
        """Return up to ``k`` passages, the best first; their score is the second stage's.

        Raises:
            LangprogError: One of the stages failed.
        """
        check_query(query)
        depth = max(self.depth, check_count(k))
        candidates = await passages_from(self._first, query, depth)
        if not candidates:
            return []
        scores = await self._score(query, candidates)
        ranked = sorted(zip(candidates, scores, strict=True), key=lambda pair: -pair[1])
        return [replace(passage, score=score) for passage, score in ranked[:k]]

    async def _score(self, query: str, candidates: Sequence[Passage]) -> list[float]:
        rerank = self._rerank
        if isinstance(rerank, LateInteractionRetriever):
            return await rerank.score(query, [passage.id for passage in candidates])
        texts = [passage.text for passage in candidates]
        if inspect.iscoroutinefunction(rerank):
            scores = await rerank(query, texts)
        else:
            scores = await call_in_worker(rerank, query, texts)
            scores = await scores if inspect.isawaitable(scores) else scores
        return _check_scores(scores, len(texts))


def _check_scores(scores: Any, count: int) -> list[float]:
    try:
        numbers = [float(score) for score in scores]
    except (TypeError, ValueError) as error:
        raise ServerError(f"the reranker did not return numbers: {error}") from None
    if len(numbers) != count or not all(map(math.isfinite, numbers)):
        raise ServerError(
            f"the reranker returned {len(numbers)} scores for {count} passages, or one that is "
            "not finite"
        )
    return numbers
