"""An index of demonstrations by their inputs: words in common, or vectors."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from langprog.example import Example
from langprog.retrieval import (
    MOST,
    BM25Retriever,
    Embedder,
    EmbeddingRetriever,
    passages_from,
)
from langprog.signature import SignatureSpec


class DemoIndex:
    """Finds examples by their inputs.

    Args:
        signature: The predictor's.
        names: The inputs that are compared.
        examples: The examples.
        by: Embeds texts; ``None`` for words in common.
        embedder: Its name.
    """

    def __init__(
        self,
        signature: SignatureSpec,
        names: tuple[str, ...],
        examples: Sequence[Example],
        by: Embedder | None,
        embedder: str,
    ) -> None:
        self.names = names
        self._places: dict[str, frozenset[int]] = {}
        for place, example in enumerate(examples):
            key = _key(signature, example)
            self._places[key] = self._places.get(key, frozenset()) | {place}
        texts = [self.text_of(signature, example) for example in examples]
        # What has no text is never near; an empty document is refused.
        rows = [{"id": place, "text": text} for place, text in enumerate(texts) if text.strip()]
        self._vectors: EmbeddingRetriever | None = None
        self._words: BM25Retriever | None = None
        if by is not None and rows:
            self._vectors = EmbeddingRetriever(rows, by, embedder=embedder)
        elif any(character.isalnum() for text in texts for character in text):
            self._words = BM25Retriever(rows)

    def text_of(self, signature: SignatureSpec, values: Mapping[str, Any]) -> str:
        """Return the text that stands for some inputs."""
        fields = signature.inputs
        return "\n".join(
            _write(fields[name].plain(values[name])) for name in self.names if name in values
        )

    def places_of(self, signature: SignatureSpec, inputs: Mapping[str, Any]) -> frozenset[int]:
        """Return the places of the examples with the very same inputs."""
        return self._places.get(_key(signature, inputs), frozenset())

    def search_words(self, query: str, count: int) -> list[int]:
        """Return the places of the examples that share words with a text, the nearest first."""
        if self._words is None or not query.strip():
            return []
        return [int(passage.id) for passage in self._words.search(query, min(count, MOST))]

    async def search_vectors(self, query: str, count: int) -> list[int]:
        """Return the places of the examples whose vectors are nearest to a text's."""
        if self._vectors is None or not query.strip():
            return []
        passages = await passages_from(self._vectors, query, min(count, MOST))
        return [int(passage.id) for passage in passages]


def comparable_inputs(signature: SignatureSpec) -> tuple[str, ...]:
    """Return the inputs that can be compared as text: no images, sounds, files or turns."""
    fields = signature.inputs.items()
    return tuple(name for name, field in fields if not (field.holds_media or field.is_history))


def _key(signature: SignatureSpec, values: Mapping[str, Any]) -> str:
    # An input that was left out counts as its default, as in a call.
    plain = {
        name: field.plain(values[name] if name in values else field.default_value())
        for name, field in signature.inputs.items()
        if name in values or not field.required
    }
    return json.dumps(plain, sort_keys=True, default=str)


def _write(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
