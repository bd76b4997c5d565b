"""What semantic caches of other libraries take, and what there is here instead."""

from __future__ import annotations

from types import MappingProxyType

from langprog.hints import Words

OF_SEMANTIC_CACHE: Words = MappingProxyType(
    {
        "delta": "write max_error=",
        "embedding_engine": "write embed=, a function of texts, and embedder=, its name",
        "similarity_evaluator": "write same=, a function of two answers",
        "similarity_threshold": "leave it out: thresholds are learned; write max_error=",
        "score_threshold": "leave it out: thresholds are learned; write max_error=",
        "ttl": "call clear() when answers may have changed",
    }
)
