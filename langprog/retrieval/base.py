"""The contract of retrievers: what is asked of one, what it gives back, how it is known again."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, ClassVar, Self

from langprog.errors import InputError
from langprog.retrieval.corpus import Corpus, Document

MOST = 10_000
"""The most passages that may be asked for at once."""

# Characters of a retriever's options as JSON: they are settings, not data.
_LONGEST_OPTIONS = 10_000


@dataclass(frozen=True, slots=True)
class Passage:
    """A document that was retrieved.

    Args:
        text: Its text.
        score: How well it fits the query; the scale is the retriever's own.
        id: Its id; empty where the retriever gives none.
        metadata: What goes along with it.
    """

    text: str
    score: float = 0.0
    id: str = ""
    metadata: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))

    @classmethod
    def of(cls, document: Document, score: float) -> Passage:
        """Return a document with its score."""
        return cls(document.text, float(score), document.id, document.metadata)


class Retriever(ABC):
    """Base class of what finds passages for a query.

    A retriever of your own has a kind, says what it searches, and writes ``search`` or
    ``async search``::

        class Wiki(lp.Retriever):
            kind = "wiki"

            @property
            def corpus_digest(self):
                return "wikipedia 2024-06-01"

            async def search(self, query, k):
                hits = await client.search(query, limit=k)
                return [lp.Passage(hit.text, hit.score, hit.id) for hit in hits]

    What ``search`` raises counts as an outage (a transport failure, which is missing data): an
    empty list says that nothing fits the query, and must never stand for a failure. A package
    brings a kind by an entry point of the group ``langprog.retrievers``.
    """

    kind: ClassVar[str] = ""
    """What kind of retriever it is; an artifact has it, and an entry point has it as its name."""

    from_corpus_alone: ClassVar[bool] = False
    """Whether :meth:`from_corpus` can make one, so that an artifact may hold it whole."""

    name: str = ""
    """What ``lp.load(path, retrievers={name: ...})`` calls it; the kind where it is empty."""

    @property
    def corpus(self) -> Corpus | None:
        """The documents that it searches; ``None`` where they are not here."""
        return None

    @property
    def corpus_digest(self) -> str | None:
        """What tells its corpus from any other: a digest, or the words of whoever keeps it.

        An artifact keeps it and is loaded only with a retriever that says the same. With ``None``
        a program runs, but is not written.
        """
        return None if self.corpus is None else self.corpus.digest

    def options(self) -> Mapping[str, Any]:
        """Return the settings that decide what it finds, as small plain JSON data."""
        return {}

    @abstractmethod
    def search(self, query: str, k: int) -> Sequence[Passage] | Awaitable[Sequence[Passage]]:
        """Return up to ``k`` passages, the best first; may be ``async``.

        Args:
            query: What is looked for; never empty.
            k: How many passages at most, 1 or more.
        """

    @classmethod
    def from_corpus(cls, corpus: Corpus, options: Mapping[str, Any], name: str = "") -> Self:
        """Make one for a corpus, with the options of another one of the kind.

        Raises:
            InputError: It takes more than a corpus to make one, or the options do not fit.
        """
        raise InputError(
            f"a retriever of the kind {cls.kind!r} is not made from its corpus alone: make it, "
            "and hand it over"
        )

    def __repr__(self) -> str:
        return f"{type(self).__name__}({name_of(self)!r}, corpus={self.corpus_digest!r:.30})"


@dataclass(frozen=True)
class RetrieverSpec:
    """What an artifact knows of a retriever.

    Args:
        name: What it is handed over as.
        kind: Its kind.
        options: Its settings.
        corpus: What its corpus is known by; ``None`` where it does not say.
    """

    name: str
    kind: str
    options: Mapping[str, Any]
    corpus: str | None

    def to_json(self) -> dict[str, Any]:
        """Return it as plain JSON data."""
        return {
            "name": self.name,
            "kind": self.kind,
            "options": dict(self.options),
            "corpus": self.corpus,
        }

    def difference(self, other: RetrieverSpec) -> str | None:
        """Return how ``other`` is not what this one describes, in words; ``None`` if it is."""
        if self.kind != other.kind:
            return f"is of the kind {other.kind!r}, not {self.kind!r}"
        if self.corpus != other.corpus:
            return f"searches another corpus ({other.corpus}, not {self.corpus})"
        if self.options != other.options:
            return f"has other options ({_told(other.options)}, not {_told(self.options)})"
        return None


def _told(options: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value!r:.60}" for name, value in options.items()) or "none"


def name_of(retriever: Retriever) -> str:
    """Return what a retriever is handed over as."""
    return retriever.name or retriever.kind


def spec_of(retriever: Retriever, name: str = "") -> RetrieverSpec:
    """Return what an artifact keeps of a retriever.

    Args:
        retriever: The retriever.
        name: What a program calls it; the retriever's own name where it is empty.

    Raises:
        InputError: Its options are not small plain JSON data.
    """
    options = retriever.options()
    try:
        text = json.dumps(dict(options), allow_nan=False, sort_keys=True)
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError(
            f"the options of the retriever {name_of(retriever)!r} are not plain JSON data: {error}"
        ) from None
    if len(text) > _LONGEST_OPTIONS:
        raise InputError(
            f"the options of the retriever {name_of(retriever)!r} take {len(text):,} characters, "
            f"and {_LONGEST_OPTIONS:,} is the most: keep data out of them"
        )
    called, known_by = name or name_of(retriever), retriever.corpus_digest
    return RetrieverSpec(called, retriever.kind, json.loads(text), known_by)


def check_query(query: Any) -> str:
    """Return ``query``.

    Raises:
        InputError: It is not a text, or has no text in it.
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
