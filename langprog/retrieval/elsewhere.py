"""Words of other libraries for the arguments of retrievers, and what there is here instead."""

from __future__ import annotations

from types import MappingProxyType

from langprog.hints import Words

_COUNT = "how many passages are returned is k= of the module: lp.Retrieve(retriever, k=...)"

OF_A_RETRIEVER: Words = MappingProxyType(
    {
        **dict.fromkeys(("k", "limit", "num_passages", "top_k", "top_n"), _COUNT),
        **dict.fromkeys(("documents", "docs", "passages", "texts"), "write corpus="),
    }
)
OF_EMBEDDINGS: Words = MappingProxyType(
    {
        **OF_A_RETRIEVER,
        **dict.fromkeys(
            ("embedding", "embedding_function", "model"),
            "write embed=, a function that embeds a list of texts",
        ),
    }
)
