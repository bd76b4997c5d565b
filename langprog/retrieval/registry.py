"""Retrievers by kind: the built-in ones and those of installed packages.

A package adds a kind in its ``pyproject.toml``, under the name that its class has as ``kind``::

    [project.entry-points."langprog.retrievers"]
    wiki = "wiki_search:Wiki"

The value is a Retriever class, or a retriever that is ready to use. It is imported when a program
names the kind, or an artifact that needs it is loaded.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from importlib.metadata import EntryPoint, entry_points
from types import MappingProxyType
from typing import Any

from langprog.errors import InputError
from langprog.plugins import load_plugin
from langprog.retrieval.base import Retriever
from langprog.retrieval.bm25 import BM25Retriever
from langprog.retrieval.corpus import Corpus
from langprog.retrieval.embedding import EmbeddingRetriever
from langprog.retrieval.function import FunctionRetriever
from langprog.retrieval.hybrid import HybridRetriever
from langprog.retrieval.late_interaction import LateInteractionRetriever
from langprog.retrieval.rerank import RerankRetriever

GROUP = "langprog.retrievers"
"""The entry point group in which packages register retrievers."""

RETRIEVERS: Mapping[str, type[Retriever]] = MappingProxyType(
    {
        cls.kind: cls
        for cls in (
            BM25Retriever,
            EmbeddingRetriever,
            FunctionRetriever,
            HybridRetriever,
            LateInteractionRetriever,
            RerankRetriever,
        )
    }
)


def retriever_named(kind: str) -> Retriever:
    """Return the ready-to-use retriever of an installed package.

    Raises:
        InputError: There is none, or it needs arguments.
    """
    provided = _find_kind(kind)
    if provided is None:
        raise InputError(
            f"there is no retriever {kind!r:.60}; there are {', '.join(kinds())}: install the "
            "package that provides it, or pass an lp.Retriever"
        )
    if isinstance(provided, Retriever):
        return provided
    try:
        inspect.signature(provided).bind()
    except TypeError as error:
        raise InputError(
            f"the retriever {kind!r} needs arguments ({error}): pass "
            f"{provided.__name__}(...) itself"
        ) from None
    return provided()


def retriever_from(kind: str, corpus: Corpus, options: Mapping[str, Any], name: str) -> Retriever:
    """Create a retriever for a corpus, with the options of another one of its kind.

    Raises:
        InputError: There is no such kind, or it needs more than a corpus.
    """
    provided = _find_kind(kind)
    if provided is None:
        raise InputError(
            f"{kind!r:.60} is not a kind of retriever here, where there are {', '.join(kinds())}: "
            "install the package that provides it"
        )
    cls = type(provided) if isinstance(provided, Retriever) else provided
    return cls.from_corpus(corpus, options, name)


def is_ready(kind: str) -> bool:
    """Return whether a kind is not built in but provided by an installed package."""
    return kind not in RETRIEVERS and bool(_points(kind))


def check_retriever(value: Retriever | Callable[[str, int], Any] | str) -> Retriever:
    """Return a retriever as it is, the installed one with a name, or a function as one.

    Raises:
        InputError: It is none of these; the message says what to pass.
    """
    if isinstance(value, str):
        return retriever_named(value)
    if isinstance(value, Retriever):
        if not isinstance(value.kind, str) or not value.kind:
            raise InputError(f"the retriever class {type(value).__name__} has no kind: name one")
        return value
    if isinstance(value, type):
        raise InputError(f"{value.__name__} is a class: pass a retriever, {value.__name__}(...)")
    if callable(getattr(value, "search", None)):
        raise InputError(
            f"{type(value).__name__} is not an lp.Retriever: derive from that class, or pass "
            "its method, thing.search"
        )
    if not callable(value):
        raise InputError(
            f"a retriever is an lp.Retriever or a function of a query and a number, not a "
            f"{type(value).__name__}"
        )
    return FunctionRetriever(value)


def kinds() -> list[str]:
    """Return every known kind of retriever, ours first; imports nothing."""
    others = {point.name for point in entry_points(group=GROUP)}
    return [*RETRIEVERS, *sorted(others - RETRIEVERS.keys())]


def _find_kind(kind: str) -> type[Retriever] | Retriever | None:
    ours = RETRIEVERS.get(kind)
    if ours is not None:
        return ours
    points = _points(kind)
    if len(points) > 1:
        raise InputError(
            f"two packages provide the retriever {kind!r}, {' and '.join(sorted(points))}: "
            "uninstall one of them"
        )
    return next((_load(point) for point in points.values()), None)


def _points(kind: str) -> dict[str, EntryPoint]:
    return {point.value: point for point in entry_points(group=GROUP, name=kind)}


def _load(point: EntryPoint) -> type[Retriever] | Retriever:
    value: Any = load_plugin(point, "the retriever", InputError)
    cls = value if isinstance(value, type) else type(value)
    if not issubclass(cls, Retriever) or cls.kind != point.name:
        raise InputError(
            f"{point.value} is not the retriever {point.name!r}: that is an lp.Retriever whose "
            f"kind is {point.name!r}"
        )
    provided: type[Retriever] | Retriever = value
    return provided
