"""Several retrievers over one corpus, combined."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar

from langprog.errors import InputError
from langprog.hints import with_hints
from langprog.retrieval.asking import passages_from
from langprog.retrieval.base import Retriever, spec_of
from langprog.retrieval.corpus import Corpus
from langprog.retrieval.elsewhere import OF_A_RETRIEVER
from langprog.retrieval.passage import Passage, check_count, check_query


class HybridRetriever(Retriever):
    """Ranks the results of several retrievers by the sum of 1 / (constant + rank).

    All of them search the same corpus, concurrently. If one fails, the search fails, since the
    others alone would rank differently.

    Example::

        lp.HybridRetriever([lp.BM25Retriever(corpus), lp.EmbeddingRetriever(corpus, embed, ...)])

    Follows: Reciprocal Rank Fusion outperforms Condorcet and individual Rank Learning Methods
    (Cormack, Clarke and Büttcher, 2009). Differs: only the first ``depth`` of each are ranked; of
    equal sums, the one found by an earlier retriever comes first.

    Args:
        retrievers: Two or more, of the same corpus; passages are identified by id.
        depth: How many passages to request from each, at least ``k``.
        constant: Added to each rank, 0 or more; the larger, the less the first ranks count.
        name: Its name for ``lp.load``.

    Raises:
        InputError: There are fewer than two, or they search different corpora.
    """

    kind: ClassVar[str] = "hybrid"

    @with_hints(OF_A_RETRIEVER)
    def __init__(
        self,
        retrievers: Sequence[Retriever],
        *,
        depth: int = 100,
        constant: int = 60,
        name: str = "",
    ) -> None:
        self._parts = tuple(retrievers)
        wrong = [each for each in self._parts if not isinstance(each, Retriever)]
        if len(self._parts) < 2 or wrong:
            raise InputError("a HybridRetriever takes a list of two or more lp.Retriever objects")
        corpora = {each.corpus_digest for each in self._parts}
        if len(corpora) > 1:
            raise InputError(
                "the retrievers of a HybridRetriever search different corpora, so that their ids "
                f"do not name the same passages: {', '.join(map(str, self._parts))}"
            )
        if isinstance(constant, bool) or not isinstance(constant, int) or constant < 0:
            raise InputError(f"constant= is a whole number, 0 or more, not {constant!r:.40}")
        self._depth = check_count(depth, "depth of a HybridRetriever")
        self._constant = constant
        self.name = name

    @property
    def corpus(self) -> Corpus | None:
        """The documents that its parts search, if they are here."""
        return self._parts[0].corpus

    @property
    def corpus_digest(self) -> str | None:
        """The identifier of the corpus of its parts."""
        return self._parts[0].corpus_digest

    def options(self) -> dict[str, Any]:
        """Return ``depth``, ``constant``, and the kinds and options of its parts."""
        parts = [
            {"kind": spec.kind, "options": dict(spec.options)}
            for spec in map(spec_of, self._parts)
        ]
        return {"depth": self._depth, "constant": self._constant, "parts": parts}

    async def search(self, query: str, k: int) -> list[Passage]:
        """Return up to ``k`` passages, the best first; their score is the sum.

        Raises:
            LangprogError: One of the retrievers failed.
        """
        check_query(query)
        depth = max(self._depth, check_count(k))
        searches = [
            asyncio.ensure_future(passages_from(part, query, depth)) for part in self._parts
        ]
        try:
            rankings = await asyncio.gather(*searches)
        finally:
            for each in searches:
                each.cancel()
            await asyncio.gather(*searches, return_exceptions=True)
        sums: dict[str, float] = {}
        first: dict[str, Passage] = {}
        for ranking in rankings:
            for rank, passage in enumerate(ranking, start=1):
                sums[passage.id] = sums.get(passage.id, 0.0) + 1 / (self._constant + rank)
                first.setdefault(passage.id, passage)
        order = sorted(sums, key=lambda id: -sums[id])
        return [replace(first[id], score=sums[id]) for id in order[:k]]
