"""The contract of retrievers: what is asked of one, what it gives back, how it is known again."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from langprog.errors import InputError
from langprog.retrieval.asking import passages_from
from langprog.retrieval.corpus import Corpus
from langprog.retrieval.passage import Passage
from langprog.runtime import run_sync

# Characters of a retriever's options as JSON: they are settings, not data.
_LONGEST_OPTIONS = 10_000
# Characters of what a corpus is known by in messages.
_LONGEST_TOLD = 40


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

    Whatever ``search`` raises counts as an outage: a transport failure, which is missing data. An
    empty list means that nothing fits the query, so never return one for a failure. A package adds
    a kind with an entry point of the group ``langprog.retrievers``.
    """

    kind: ClassVar[str] = ""
    """The kind of retriever: stored in artifacts, and the name of its entry point."""

    from_corpus_alone: ClassVar[bool] = False
    """Whether :meth:`from_corpus` can make one, so that an artifact may hold it whole."""

    name: str = ""
    """Under which ``lp.load(path, retrievers={name: ...})`` takes it; the kind if it is empty."""

    @property
    def corpus(self) -> Corpus | None:
        """The documents that it searches; ``None`` where they are not here."""
        return None

    @property
    def corpus_digest(self) -> str | None:
        """What identifies the corpus: a digest, or a name and version that you give it.

        An artifact stores it, and loads only with a retriever that has the same. With ``None`` a
        program runs but cannot be saved.
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

    def __call__(self, query: str, k: int = 3) -> list[Passage]:
        """Search and wait for the passages, whether ``search`` is asynchronous or not.

        Raises:
            InputError: The query is empty, or ``k`` is not a number of passages.
            TransportError: The search failed.
        """
        return run_sync(self.acall(query, k))

    async def acall(self, query: str, k: int = 3) -> list[Passage]:
        """Search; the asynchronous form of calling it."""
        return await passages_from(self, query, k)

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

    @classmethod
    def from_json(cls, data: Any) -> RetrieverSpec:
        """Read what :meth:`to_json` wrote.

        Raises:
            InputError: It is something else.
        """
        names = {"name", "kind", "options", "corpus"}
        if not isinstance(data, Mapping) or data.keys() != names:
            raise InputError(
                f"a retriever is described by name, kind, options and corpus, not by {data!r:.60}"
            )
        return cls(**data)

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
        if self.name != other.name:
            return f"is called {other.name!r}, not {self.name!r}"
        if self.kind != other.kind:
            return f"is of the kind {other.kind!r}, not {self.kind!r}"
        if self.corpus != other.corpus:
            return f"searches another corpus ({_short(other.corpus)}, not {_short(self.corpus)})"
        if self.options != other.options:
            options = _describe_options(other.options), _describe_options(self.options)
            return f"has other options ({options[0]}, not {options[1]})"
        return None


def _short(corpus: str | None) -> str:
    told = str(corpus)
    return told if len(told) <= _LONGEST_TOLD else f"{told[:_LONGEST_TOLD]}..."


def _describe_options(options: Mapping[str, Any]) -> str:
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
