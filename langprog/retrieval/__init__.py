"""Passages for a query, from your own corpus or from a service.

- ``base``: :class:`Retriever`, what every retriever is derived from, and what an artifact keeps
  of one. ``passage``: what a search returns. ``corpus``: documents, their files and their digest.
- ``bm25``: shared words. ``embedding``: vectors of any embedder. ``hybrid``: several retrievers as
  one. ``function``: any function. ``ranking``: the best of many scores.
- ``asking``: the one place where a query meets a retriever; failures get their type there.
- ``registry``: retrievers by kind, those of installed packages among them.
"""

from langprog.retrieval.asking import passages_from
from langprog.retrieval.base import Retriever, RetrieverSpec, name_of, spec_of
from langprog.retrieval.bm25 import BM25Retriever
from langprog.retrieval.corpus import Corpus, Document, load_corpus
from langprog.retrieval.embedding import EmbeddingRetriever
from langprog.retrieval.function import FunctionRetriever
from langprog.retrieval.hybrid import HybridRetriever
from langprog.retrieval.passage import MOST, Passage, check_count
from langprog.retrieval.registry import (
    check_retriever,
    is_ready,
    retriever_from,
    retriever_named,
)

__all__ = [
    "BM25Retriever",
    "Corpus",
    "Document",
    "EmbeddingRetriever",
    "FunctionRetriever",
    "HybridRetriever",
    "MOST",
    "Passage",
    "Retriever",
    "RetrieverSpec",
    "check_count",
    "check_retriever",
    "is_ready",
    "load_corpus",
    "name_of",
    "passages_from",
    "retriever_from",
    "retriever_named",
    "spec_of",
]
