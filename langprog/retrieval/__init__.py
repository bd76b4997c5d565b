"""Passages for a query, from your own corpus or from a service.

- ``base``: :class:`Retriever`, the base class, and what an artifact stores about a retriever.
  ``passage``: the results of a search. ``corpus``: documents, their files and their digest.
- ``bm25``: shared words. ``embedding``: vectors of any embedder. ``late_interaction``: a vector
  for each token (MaxSim). ``hybrid``: several retrievers combined. ``rerank``: candidates ranked
  anew. ``function``: any function. ``ranking``: the best of many scores.
- ``asking``: the one place that calls retrievers, and gives failures their type.
- ``registry``: retrievers by kind, including those of installed packages.
"""

from langprog.retrieval.asking import passages_from
from langprog.retrieval.base import Retriever, RetrieverSpec, name_of, spec_of
from langprog.retrieval.bm25 import BM25Retriever
from langprog.retrieval.corpus import Corpus, Document, load_corpus
from langprog.retrieval.embedding import (
    Embedder,
    EmbeddingRetriever,
    check_embedder,
    embed_texts,
    unit_vectors,
)
from langprog.retrieval.function import FunctionRetriever
from langprog.retrieval.hybrid import HybridRetriever
from langprog.retrieval.late_interaction import LateInteractionRetriever
from langprog.retrieval.passage import MOST, Passage, check_count
from langprog.retrieval.registry import (
    check_retriever,
    is_ready,
    retriever_from,
    retriever_named,
)
from langprog.retrieval.rerank import RerankRetriever

__all__ = [
    "BM25Retriever",
    "Corpus",
    "Document",
    "Embedder",
    "EmbeddingRetriever",
    "FunctionRetriever",
    "HybridRetriever",
    "LateInteractionRetriever",
    "MOST",
    "Passage",
    "RerankRetriever",
    "Retriever",
    "RetrieverSpec",
    "check_count",
    "check_embedder",
    "check_retriever",
    "embed_texts",
    "is_ready",
    "load_corpus",
    "name_of",
    "passages_from",
    "retriever_from",
    "retriever_named",
    "spec_of",
    "unit_vectors",
]
