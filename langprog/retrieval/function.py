"""Any function as a retriever: a search service, your own index."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, ClassVar

from langprog.errors import InputError, ServerError
from langprog.hints import with_hints
from langprog.retrieval.base import Retriever
from langprog.retrieval.elsewhere import OF_A_RETRIEVER
from langprog.retrieval.passage import Passage, check_count, check_query

Function = Callable[[str, int], Any]


class FunctionRetriever(Retriever):
    """Calls a function for passages.

    Example::

        import langprog as lp

        def search(query, k):
            return [{"text": "Paris is the capital of France.", "id": "fr", "score": 1.0}][:k]

        capitals = lp.FunctionRetriever(search, corpus="capitals of 2024")
        assert capitals("capital of France", k=3)[0].id == "fr"

    Args:
        function: ``function(query, k)`` returns up to ``k`` passages, the best first: each a
            Passage, a text, or a dict with ``text`` and perhaps ``id``, ``score`` and more, which
            is metadata; may be ``async``. Whatever it raises counts as an outage.
        corpus: Identifies the corpus that it searches, such as a name and a date. An artifact
            stores it; without one a program runs but cannot be saved.
        name: Its name for ``lp.load``; by default the function's name.
    """

    kind: ClassVar[str] = "function"

    @with_hints(OF_A_RETRIEVER)
    def __init__(self, function: Function, *, corpus: str | None = None, name: str = "") -> None:
        if not callable(function) or isinstance(function, type):
            raise InputError(
                "a FunctionRetriever takes a function of a query and a number, not "
                f"{function!r:.60}"
            )
        if corpus is not None and (not isinstance(corpus, str) or not corpus.strip()):
            raise InputError("corpus= names the corpus, such as 'wikipedia 2024-06-01'")
        self._function = function
        self._corpus_name = corpus
        called = getattr(function, "__name__", "")
        self.name = name or (called if called.isidentifier() else "")

    @property
    def corpus_digest(self) -> str | None:
        """The name of its corpus."""
        return self._corpus_name

    def search(self, query: str, k: int) -> list[Passage] | Awaitable[list[Passage]]:
        """Return the function's results as passages; awaitable if they are.

        Raises:
            ServerError: It returned something that is not a list of passages.
        """
        result = self._function(check_query(query), check_count(k))
        return _read_later(result) if inspect.isawaitable(result) else _read_passages(result)


async def _read_later(result: Awaitable[Any]) -> list[Passage]:
    return _read_passages(await result)


def _read_passages(result: Any) -> list[Passage]:
    if isinstance(result, (str, bytes, Mapping)) or not isinstance(result, Sequence):
        raise ServerError(
            f"it returned a {type(result).__name__}, not a list of passages; an empty list says "
            "that nothing fits"
        )
    return [_passage(each) for each in result]


def _passage(value: Any) -> Passage:
    if isinstance(value, Passage):
        return value
    if isinstance(value, str):
        return Passage(value)
    if not isinstance(value, Mapping) or not isinstance(value.get("text"), str):
        raise ServerError(
            f"it returned a {type(value).__name__} among the passages: give Passages, texts, or "
            "dicts with a 'text'"
        )
    rest = {key: item for key, item in value.items() if key not in ("text", "score", "id")}
    try:
        score = float(value.get("score", 0.0))
    except (TypeError, ValueError):
        raise ServerError(f"it returned the score {value['score']!r:.40}") from None
    return Passage(value["text"], score, str(value.get("id", "")), rest)
