"""Retrieval by the angle between vectors from any embedder."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from langprog.errors import InputError, LangprogError, ServerError
from langprog.hints import with_hints
from langprog.retrieval.base import Retriever
from langprog.retrieval.corpus import Corpus, corpus_of
from langprog.retrieval.elsewhere import OF_EMBEDDINGS
from langprog.retrieval.passage import Passage, check_count, check_query
from langprog.retrieval.ranking import passages
from langprog.runtime import call_in_worker, run_sync

if TYPE_CHECKING:
    from numpy.typing import NDArray

Embedder = Callable[[list[str]], Any]
"""Takes texts and returns a vector for each, as an array or lists of numbers; may be ``async``."""


class EmbeddingRetriever(Retriever):
    """Ranks documents by the cosine of their vectors and the query's; exact, with numpy.

    The embedder is your own code, so no budget counts its calls. The constructor embeds the
    documents in batches, unless their vectors are given.

    Example::

        import langprog as lp

        def letters(texts):
            alphabet = "abcdefghijklmnopqrstuvwxyz"
            return [[text.count(letter) for letter in alphabet] for text in texts]

        animals = lp.EmbeddingRetriever(["zebra", "moose"], letters, embedder="letters")
        assert animals("zebras", k=1)[0].text == "zebra"

    Args:
        corpus: The documents: a Corpus, or the rows of one.
        embed: Takes a list of texts and returns a vector for each; may be ``async``.
        embedder: Identifies the embedder, such as the model's name and revision; an artifact
            stores it.
        vectors: The documents' vectors, if you have them already: an array of shape
            (documents, dimensions).
        batch: How many texts are embedded at once.
        name: Its name for ``lp.load``.

    Raises:
        InputError: Vectors do not fit the corpus, are not finite, or an argument is wrong.
    """

    kind: ClassVar[str] = "embedding"

    @with_hints(OF_EMBEDDINGS)
    def __init__(
        self,
        corpus: Corpus | Iterable[str | Mapping[str, Any]],
        embed: Embedder,
        *,
        embedder: str,
        vectors: Any = None,
        batch: int = 256,
        name: str = "",
    ) -> None:
        check_embedder(embed, embedder, batch)
        self._corpus = corpus_of(corpus)
        self._embed = embed
        self._embedder = embedder
        self.name = name
        if vectors is None:
            vectors = _embed_all(embed, self._corpus.texts, batch)
        self._vectors = unit_vectors(vectors, len(self._corpus), "the documents of the corpus")

    @property
    def corpus(self) -> Corpus:
        """The documents that it searches."""
        return self._corpus

    def options(self) -> dict[str, Any]:
        """Return the embedder's name and the length of its vectors."""
        return {"embedder": self._embedder, "dimensions": int(self._vectors.shape[1])}

    async def search(self, query: str, k: int) -> list[Passage]:
        """Return the ``k`` documents whose vectors are nearest to the query's, the best first.

        Raises:
            InputError: The embedder's vector for the query has another length.
            ServerError: It is not a usable vector: the embedder failed.
        """
        check_query(query)
        check_count(k)
        vectors = await embed_texts(self._embed, [query])
        vector = unit_vectors(vectors, 1, "the query", ServerError)[0]
        if len(vector) != self._vectors.shape[1]:
            raise InputError(
                f"the embedder {self._embedder!r} gives the query {len(vector)} dimensions, and "
                f"the documents have {self._vectors.shape[1]}"
            )
        return passages(self._corpus, self._vectors @ vector, k)


def check_embedder(embed: Any, embedder: Any, batch: Any) -> None:
    """Refuse what does not embed texts, or has no name.

    Raises:
        InputError: An argument is wrong.
    """
    if not callable(embed):
        raise InputError(f"embed= takes a function of texts, not a {type(embed).__name__}")
    if not isinstance(embedder, str) or not embedder.strip():
        raise InputError("embedder= names the embedder, such as a model and its revision")
    if isinstance(batch, bool) or not isinstance(batch, int) or batch < 1:
        raise InputError(f"batch= is a number of texts, 1 or more, not {batch!r:.40}")


async def embed_texts(embed: Embedder, texts: list[str]) -> Any:
    """Call an embedder, whether it is asynchronous or not."""
    if inspect.iscoroutinefunction(embed):
        return await embed(texts)
    vectors = await call_in_worker(embed, texts)
    return await vectors if inspect.isawaitable(vectors) else vectors


def _embed_all(embed: Embedder, texts: list[str], batch: int) -> Any:
    import numpy  # noqa: PLC0415 - programs without retrieval need no arrays

    parts: list[NDArray[Any]] = []
    for start in range(0, len(texts), batch):
        some = texts[start : start + batch]
        place = f"documents {start + 1} to {start + len(some)} of the corpus"
        vectors = _as_array(run_sync(embed_texts(embed, some)), len(some), place, InputError)
        if parts and vectors.shape[1] != parts[0].shape[1]:
            raise InputError(
                f"the embedder gave {place} {vectors.shape[1]} dimensions, and those before them "
                f"{parts[0].shape[1]}"
            )
        parts.append(vectors)
    return numpy.concatenate(parts)


def _as_array(vectors: Any, count: int, place: str, error: type[LangprogError]) -> NDArray[Any]:
    import numpy  # noqa: PLC0415 - programs without retrieval need no arrays

    try:
        array: NDArray[Any] = numpy.asarray(vectors, dtype=numpy.float32)
    except (TypeError, ValueError) as failure:
        raise error(f"the vectors of {place} are not numbers: {failure}") from None
    if array.ndim != 2 or array.shape[0] != count or not array.shape[1]:
        shape = " x ".join(map(str, array.shape)) or "no list"
        raise error(f"the vectors of {place} are {shape}: there must be {count}, of one length")
    return array


def unit_vectors(
    vectors: Any, count: int, place: str, error: type[LangprogError] = InputError
) -> NDArray[Any]:
    """Return vectors of length 1.

    Raises:
        LangprogError: A vector is not finite, or is all zeros.
    """
    import numpy  # noqa: PLC0415 - programs without retrieval need no arrays

    array = _as_array(vectors, count, place, error)
    lengths = numpy.linalg.norm(array.astype(numpy.float64), axis=1, keepdims=True)
    wrong = numpy.flatnonzero(~(numpy.isfinite(lengths[:, 0]) & (lengths[:, 0] > 0)))
    if len(wrong):
        which = "" if count == 1 else f", number {int(wrong[0]) + 1} of them,"
        raise error(f"the vector of {place}{which} is all zeros or not finite: nothing is near it")
    unit: NDArray[Any] = (array / lengths).astype(numpy.float32)
    return unit
