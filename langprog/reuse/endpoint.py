"""Embeddings from an OpenAI-compatible endpoint."""

from __future__ import annotations

import json
from typing import Any

from langprog.errors import ModelError, ServerError
from langprog.lm import OpenAICompatible, layers_of, read_whole
from langprog.runtime import LM

LARGEST_REPLY = 64 * 2**20


class EmbeddingEndpoint:
    """A function of texts that an OpenAI-compatible endpoint answers with vectors.

    It takes the place of ``embed=`` in :class:`langprog.SemanticCache` and
    :class:`langprog.EmbeddingRetriever`. A failed request is not repeated; no budget counts any.

    Example::

        embed = lp.EmbeddingEndpoint("openai/text-embedding-3-small")
        cache = lp.SemanticCache("answers", embed=embed, embedder=embed.name)

    Args:
        model: ``provider/model``; the key and the address come from the environment, as for
            :func:`langprog.LM`.
        base_url: The address.
        api_key: The key.

    Raises:
        ModelError: The provider is not one with an OpenAI-compatible endpoint.
    """

    def __init__(
        self, model: str, *, base_url: str | None = None, api_key: str | None = None
    ) -> None:
        given = {"base_url": base_url, "api_key": api_key}
        options = {name: value for name, value in given.items() if value is not None}
        *_, client = layers_of(LM(model, cache=False, **options))  # type: ignore[arg-type]  # texts
        if not isinstance(client, OpenAICompatible):
            raise ModelError(
                f"{model} is not a model of an OpenAI-compatible endpoint: write a function of "
                "texts that returns their vectors, embed="
            )
        self.name = model
        self._client = client

    async def __call__(self, texts: list[str]) -> list[list[float]]:
        """Return a vector for each text.

        Raises:
            LMError: The endpoint cannot be reached, refuses, or answers something else.
        """
        body = {"model": self.name.partition("/")[2] or self.name, "input": texts}
        async with self._client.open("POST", "/embeddings", json=body) as response:
            raw = await read_whole(response, LARGEST_REPLY)
        try:
            rows: list[Any] = json.loads(raw)["data"]
            ordered = sorted(rows, key=lambda row: int(row["index"]))
            vectors = [[float(number) for number in row["embedding"]] for row in ordered]
        except (ValueError, KeyError, TypeError, RecursionError):
            vectors = []
        if len(vectors) != len(texts):
            raise ServerError(
                f"{self.name}: the reply is not a list of {len(texts)} embeddings",
                model=self.name,
            )
        return vectors

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()
