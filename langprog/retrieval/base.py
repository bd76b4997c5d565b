"""The contract of retrievers: how to call them, what they return, how they are identified."""

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

# Longest options of a retriever as JSON, in characters: they are settings, not data.
_LONGEST_OPTIONS = 10_000
# Longest identifier of a corpus in messages, in characters.
_LONGEST_TOLD = 40


class Retriever(ABC):
    """Base class of retrievers, which find passages for a query.

    A custom retriever has a kind, identifies its corpus, and defines ``search``, which may be
    ``async``::

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
    """Whether :meth:`from_corpus` can make one, so that an artifact can contain it."""

    reranks: ClassVar[bool] = False
    """Whether it ranks ``depth`` candidates anew, and has ``with_depth``."""

    depth: int = 0
    """How many candidates it ranks anew, if it does."""

    name: str = ""
    """The name in ``lp.load(path, retrievers={name: ...})``; the kind if empty."""

    @property
    def corpus(self) -> Corpus | None:
        """The documents that it searches; ``None`` if they are not here."""
        return None

    @property
    def corpus_digest(self) -> str | None:
        """The identifier of the corpus: a digest, or a name and version of your choice.

        An artifact stores it, and loads only with a retriever that has the same one. With ``None``
        a program runs but cannot be saved.
        """
        return None if self.corpus is None else self.corpus.digest

    def options(self) -> Mapping[str, Any]:
        """Return the settings that affect its results, as small plain JSON data."""
        return {}

    def with_depth(self, depth: int) -> Retriever:
        """Return a copy that ranks this many candidates anew.

        Raises:
            InputError: It does not rerank, or this is not a number of passages.
        """
        raise InputError(f"a retriever of the kind {self.kind!r} does not rerank")

    @abstractmethod
    def search(self, query: str, k: int) -> Sequence[Passage] | Awaitable[Sequence[Passage]]:
        """Return up to ``k`` passages, the best first; may be ``async``.

        Args:
            query: The text to search for; never empty.
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
        """Search; the asynchronous form of a call."""
        return await passages_from(self, query, k)

    @classmethod
    def from_corpus(cls, corpus: Corpus, options: Mapping[str, Any], name: str = "") -> Self:
        """Create one for a corpus, with the options of another one of its kind.

        Raises:
            InputError: It needs more than a corpus, or the options do not fit.
        """
        raise InputError(
            f"a retriever of the kind {cls.kind!r} cannot be created from its corpus alone: "
            "create it, and pass it"
        )

    def __repr__(self) -> str:
        corpus = self.corpus_digest and self.corpus_digest[:19]
        return f"{type(self).__name__}({name_of(self)!r}, corpus={corpus!r})"


@dataclass(frozen=True)
class RetrieverSpec:
    """What an artifact stores about a retriever.

    Args:
        name: The name under which it is passed to ``lp.load``.
        kind: Its kind.
        options: Its settings.
        corpus: The identifier of its corpus; ``None`` if there is none.
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
        """Return how ``other`` differs from this one, in words; ``None`` if it does not."""
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
    """Return the name under which a retriever is passed to ``lp.load``."""
    return retriever.name or retriever.kind


def spec_of(retriever: Retriever, name: str = "") -> RetrieverSpec:
    """Return what an artifact stores about a retriever.

    Args:
        retriever: The retriever.
        name: Its name in the program; the retriever's own name if empty.

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
