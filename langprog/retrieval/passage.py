"""The arguments of a search, and its results."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from langprog.errors import InputError
from langprog.retrieval.corpus import Document

MOST = 10_000
"""The largest number of passages per search."""


@dataclass(frozen=True, slots=True)
class Passage:
    """A document that was retrieved.

    Args:
        text: Its text.
        score: How well it fits the query; the scale is the retriever's own.
        id: Its id; empty if the retriever gives none.
        metadata: Data about it.
    """

    text: str
    score: float = 0.0
    id: str = ""
    metadata: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))

    @classmethod
    def of(cls, document: Document, score: float) -> Passage:
        """Return a document with its score."""
        return cls(document.text, float(score), document.id, document.metadata)


def check_query(query: Any) -> str:
    """Return ``query``.

    Raises:
        InputError: It is not text, or is blank.
    """
    if not isinstance(query, str):
        raise InputError(f"a retriever searches for a text, not a {type(query).__name__}")
    if not query.strip():
        raise InputError("the query of a retriever is empty: there is nothing to search for")
    return query


def check_count(k: Any, place: str = "k of a retriever") -> int:
    """Return ``k``.

    Raises:
        InputError: It is not a number of passages.
    """
    if isinstance(k, bool) or not isinstance(k, int) or not 1 <= k <= MOST:
        raise InputError(f"{place} is a number of passages, 1 to {MOST:,}, not {k!r:.40}")
    return k
