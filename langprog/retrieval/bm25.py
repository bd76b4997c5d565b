"""Retrieval by the words that a query and a document share."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Self

from langprog.errors import InputError
from langprog.hints import with_hints
from langprog.retrieval.base import Retriever
from langprog.retrieval.corpus import Corpus, corpus_of
from langprog.retrieval.elsewhere import OF_A_RETRIEVER
from langprog.retrieval.passage import Passage, check_count, check_query
from langprog.retrieval.ranking import passages

# Scripts without blanks between words (Han, kana, Thai and others): each character is a word.
_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
_WORD = re.compile(rf"[{_UNSPACED}]|[^\W{_UNSPACED}]+")


class BM25Retriever(Retriever):
    """Ranks documents by the words that they share with the query; needs ``bm25s``.

    Case does not matter. A document that shares no word with the query is never returned. The
    index is built by the constructor and kept in memory.

    Example::

        import langprog as lp

        capitals = lp.BM25Retriever(
            ["Paris is the capital of France.", "Rome is the capital of Italy."]
        )
        assert capitals("Which city is the capital of Italy?", k=1)[0].id == "1"

    Follows: Okapi at TREC-3 (Robertson et al., 1994), in the form of Lucene and with the sparse
    scores of BM25S (Lù, 2024). Differs: no stop words and no stemming, so it works alike in every
    language; documents with equal scores stay in the order of the corpus.

    Args:
        corpus: The documents: a Corpus, or the rows of one.
        k1: How much repeated words add, 0 or more.
        b: How much long documents are penalized, 0 to 1.
        name: Its name for ``lp.load``.

    Raises:
        InputError: ``bm25s`` is not installed, an option is out of range, or no document has a
            word.
    """

    kind: ClassVar[str] = "bm25"
    from_corpus_alone: ClassVar[bool] = True

    @with_hints(OF_A_RETRIEVER)
    def __init__(
        self,
        corpus: Corpus | Iterable[str | Mapping[str, Any]],
        *,
        k1: float = 1.5,
        b: float = 0.75,
        name: str = "",
    ) -> None:
        self._k1 = _check_option(k1, "k1", math.inf)
        self._b = _check_option(b, "b", 1.0)
        self._corpus = corpus_of(corpus)
        self.name = name
        words = [_words(document.text) for document in self._corpus]
        if not any(words):
            raise InputError("no document of the corpus has a word to search for")
        self._known = {word for document in words for word in document}
        self._index = _index(words, self._k1, self._b)

    @property
    def corpus(self) -> Corpus:
        """The documents that it searches."""
        return self._corpus

    def options(self) -> dict[str, float]:
        """Return ``k1`` and ``b``."""
        return {"k1": self._k1, "b": self._b}

    @classmethod
    def from_corpus(cls, corpus: Corpus, options: Mapping[str, Any], name: str = "") -> Self:
        """Create one for a corpus, with the options of another one.

        Raises:
            InputError: The options do not fit.
        """
        if options.keys() != {"k1", "b"}:
            raise InputError(f"the options of a BM25Retriever are k1 and b, not {list(options)}")
        return cls(corpus, k1=options["k1"], b=options["b"], name=name)

    def search(self, query: str, k: int) -> list[Passage]:
        """Return up to ``k`` documents that share a word with the query, the best first."""
        words = [word for word in _words(check_query(query)) if word in self._known]
        check_count(k)
        if not words:
            return []
        scores = self._index.get_scores(words)
        return [each for each in passages(self._corpus, scores, k) if each.score > 0]


def _check_option(value: Any, name: str, most: float) -> float:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not number or not 0 <= value <= most or math.isinf(value):
        limit = "0 or more" if math.isinf(most) else f"0 to {most:g}"
        raise InputError(f"{name} of a BM25Retriever is a number, {limit}, not {value!r:.40}")
    return float(value)


def _words(text: str) -> list[str]:
    return _WORD.findall(unicodedata.normalize("NFKC", text).casefold())


def _index(words: list[list[str]], k1: float, b: float) -> Any:
    try:
        import bm25s  # noqa: PLC0415 - an extra, needed for this retriever alone
    except ImportError:
        raise InputError(
            "lp.BM25Retriever needs the package bm25s: pip install 'langprog[retrieval]'"
        ) from None
    index = bm25s.BM25(k1=k1, b=b, method="lucene")
    index.index(words, show_progress=False)
    return index
