"""Retrieval by late interaction: a vector for each token, from any embedder."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from langprog.errors import InputError, LangprogError, ServerError
from langprog.hints import with_hints
from langprog.retrieval.base import Retriever
from langprog.retrieval.corpus import Corpus, corpus_of
from langprog.retrieval.elsewhere import OF_EMBEDDINGS
from langprog.retrieval.embedding import check_embedder, embed_texts
from langprog.retrieval.passage import Passage, check_count, check_query
from langprog.retrieval.ranking import passages
from langprog.runtime import run_sync

if TYPE_CHECKING:
    from numpy.typing import NDArray

TokenEmbedder = Callable[[list[str]], Any]
"""Takes texts and returns, for each, a vector for each of its tokens; may be ``async``."""

# Products of vectors that are held at a time, to bound the memory of a search.
_AT_ONCE = 20_000_000


class LateInteractionRetriever(Retriever):
    """Ranks documents by MaxSim: for each token of the query, its nearest token of the document.

    The score is the sum of these cosines. It is exact, with numpy: every token of every document
    is compared, so it fits corpora up to some millions of tokens. In a large corpus, let another
    retriever find candidates and rerank them: ``lp.RerankRetriever(first, rerank=late)``.

    The embedder is your own code, so no budget counts its calls. The constructor embeds the
    documents in batches, unless their vectors are given.

    Example::

        import langprog as lp

        def letters(texts):
            alphabet = "abcdefghijklmnopqrstuvwxyz"
            return [[[letter == each for each in alphabet] for letter in text] for text in texts]

        animals = lp.LateInteractionRetriever(["zebra", "moose"], letters, embedder="letters")
        assert animals("bear", k=1)[0].text == "zebra"

    Follows: ColBERT (Khattab and Zaharia, 2020), its late interaction. Differs: any embedder of
    tokens; no index that prunes or compresses (PLAID), so nothing is missed.

    Args:
        corpus: The documents: a Corpus, or the rows of one.
        embed: Takes a list of texts and returns, for each, one vector for each token; may be
            ``async``.
        embedder: Identifies the embedder, such as the model's name and revision; an artifact
            stores it.
        vectors: The documents' vectors, if you have them already: for each document an array of
            shape (tokens, dimensions).
        batch: How many texts are embedded at once.
        name: Its name for ``lp.load``.

    Raises:
        InputError: Vectors do not fit the corpus, are not finite, or an argument is wrong.
    """

    kind: ClassVar[str] = "late_interaction"

    @with_hints(OF_EMBEDDINGS)
    def __init__(
        self,
        corpus: Corpus | Iterable[str | Mapping[str, Any]],
        embed: TokenEmbedder,
        *,
        embedder: str,
        vectors: Sequence[Any] | None = None,
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
        if len(vectors) != len(self._corpus):
            raise InputError(
                f"vectors= has {len(vectors)} documents, and the corpus has {len(self._corpus)}"
            )
        self._tokens, self._starts = _join(vectors)

    @property
    def corpus(self) -> Corpus:
        """The documents that it searches."""
        return self._corpus

    def options(self) -> dict[str, Any]:
        """Return the embedder's name and the length of its vectors."""
        return {"embedder": self._embedder, "dimensions": int(self._tokens.shape[1])}

    async def search(self, query: str, k: int) -> list[Passage]:
        """Return the ``k`` documents with the highest MaxSim, the best first.

        Raises:
            InputError: The embedder's vectors for the query have another length.
            ServerError: They are not usable vectors: the embedder failed.
        """
        check_count(k)
        places = range(len(self._corpus))
        return passages(self._corpus, await self._score(query, places), k)

    async def score(self, query: str, ids: Sequence[str]) -> list[float]:
        """Return the MaxSim of the documents with these ids, in their order.

        Raises:
            InputError: The corpus has no such document, or vectors have another length.
            ServerError: The embedder failed.
        """
        places = [self._corpus.place(id) for id in ids]
        return [float(score) for score in await self._score(query, places)]

    async def _score(self, query: str, places: Sequence[int]) -> NDArray[Any]:
        import numpy  # noqa: PLC0415 - programs without retrieval need no arrays

        embedded = await embed_texts(self._embed, [check_query(query)])
        if isinstance(embedded, (str, bytes)) or len(embedded) != 1:
            raise ServerError("the embedder did not return the tokens of one text for the query")
        tokens = _unit_tokens(embedded[0], "the query", ServerError)
        if tokens.shape[1] != self._tokens.shape[1]:
            raise InputError(
                f"the embedder {self._embedder!r} gives the query {tokens.shape[1]} dimensions, "
                f"and the documents have {self._tokens.shape[1]}"
            )
        scores = numpy.empty(len(places), dtype=numpy.float32)
        step = max(1, _AT_ONCE // max(1, len(tokens) * self._longest()))
        for first in range(0, len(places), step):
            part = places[first : first + step]
            scores[first : first + step] = self._max_sim(tokens, part)
        return scores

    def _longest(self) -> int:
        return int((self._starts[1:] - self._starts[:-1]).max())

    def _max_sim(self, tokens: NDArray[Any], places: Sequence[int]) -> NDArray[Any]:
        import numpy  # noqa: PLC0415 - programs without retrieval need no arrays

        bounds = [(int(self._starts[place]), int(self._starts[place + 1])) for place in places]
        if isinstance(places, range):
            documents = self._tokens[bounds[0][0] : bounds[-1][1]]
        else:
            documents = numpy.concatenate([self._tokens[low:high] for low, high in bounds])
        lengths = [high - low for low, high in bounds]
        starts = numpy.cumsum([0, *lengths[:-1]])
        nearest: NDArray[Any] = numpy.maximum.reduceat(tokens @ documents.T, starts, axis=1)
        total: NDArray[Any] = nearest.sum(axis=0)
        return total


def _embed_all(embed: TokenEmbedder, texts: list[str], batch: int) -> list[Any]:
    vectors: list[Any] = []
    for start in range(0, len(texts), batch):
        some = texts[start : start + batch]
        embedded = run_sync(embed_texts(embed, some))
        if isinstance(embedded, (str, bytes)) or len(embedded) != len(some):
            raise InputError(
                f"the embedder did not return one array for each of {len(some)} documents"
            )
        vectors.extend(embedded)
    return vectors


def _join(vectors: Sequence[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return all tokens in one array, and where each document starts in it."""
    import numpy  # noqa: PLC0415 - programs without retrieval need no arrays

    documents = [
        _unit_tokens(each, f"document {number} of the corpus", InputError)
        for number, each in enumerate(vectors, start=1)
    ]
    widths = {each.shape[1] for each in documents}
    if len(widths) > 1:
        raise InputError(
            f"the vectors of the documents have {min(widths)} to {max(widths)} dimensions: they "
            "must all have as many"
        )
    starts = numpy.cumsum([0, *(len(each) for each in documents)])
    return numpy.concatenate(documents), starts


def _unit_tokens(vectors: Any, place: str, error: type[LangprogError]) -> NDArray[Any]:
    """Return the vectors of a text's tokens, with length 1.

    Raises:
        LangprogError: There are none, or one is not finite or all zeros.
    """
    import numpy  # noqa: PLC0415 - programs without retrieval need no arrays

    try:
        array: NDArray[Any] = numpy.asarray(vectors, dtype=numpy.float32)
    except (TypeError, ValueError) as failure:
        raise error(f"the vectors of {place} are not numbers: {failure}") from None
    if array.ndim != 2 or 0 in array.shape:
        shape = " x ".join(map(str, array.shape)) or "no list"
        raise error(f"the vectors of {place} are {shape}: there must be one for each token")
    lengths = numpy.linalg.norm(array.astype(numpy.float64), axis=1, keepdims=True)
    if not (numpy.isfinite(lengths) & (lengths > 0)).all():
        raise error(f"a vector of {place} is all zeros or not finite: nothing is near it")
    unit: NDArray[Any] = (array / lengths).astype(numpy.float32)
    return unit
