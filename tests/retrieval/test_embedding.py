from __future__ import annotations

from typing import Any

import numpy
import pytest

import langprog as lp
from langprog.errors import InputError, ServerError, TransportError

TEXTS = ["east", "north", "far east"]
VECTORS = {"east": [1, 0], "north": [0, 2], "far east": [9, 1], "query": [3, 1]}


def embed(texts: list[str]) -> list[list[float]]:
    return [[float(value) for value in VECTORS[text]] for text in texts]


def test_the_angle_decides_and_not_the_length() -> None:
    passages = lp.EmbeddingRetriever(TEXTS, embed, embedder="map")("query", k=3)
    assert [each.text for each in passages] == ["far east", "east", "north"]
    assert [each.score for each in passages] == pytest.approx(
        [28 / (82**0.5 * 10**0.5), 3 / 10**0.5, 1 / 10**0.5], rel=1e-6
    )


def test_documents_are_embedded_in_batches_and_once() -> None:
    asked: list[list[str]] = []

    def noted(texts: list[str]) -> Any:
        asked.append(texts)
        return numpy.asarray(embed(texts))

    retriever = lp.EmbeddingRetriever(TEXTS, noted, embedder="map", batch=2)
    retriever("query", k=1)
    assert asked == [["east", "north"], ["far east"], ["query"]]


def test_vectors_that_are_known_are_not_made_again() -> None:
    asked: list[list[str]] = []

    def noted(texts: list[str]) -> Any:
        asked.append(texts)
        return embed(texts)

    retriever = lp.EmbeddingRetriever(TEXTS, noted, embedder="map", vectors=embed(TEXTS))
    assert retriever("query", k=1)[0].text == "far east"
    assert asked == [["query"]]


@pytest.mark.parametrize(
    ("vectors", "words"),
    [
        ([[1, 2], [3, 4]], "are 2 x 2: there must be 3, of one length"),
        ([1, 2, 3], "are 3: there must be 3, of one length"),
        ([[1, 2], [3], [4, 5]], "are not numbers"),
        ([["a"], ["b"], ["c"]], "are not numbers"),
        ([[1, 2], [0, 0], [3, 4]], "number 2 of them, is all zeros"),
        ([[1, 2], [3, 4], [float("nan"), 1]], "number 3 of them, is all zeros or not finite"),
    ],
)
def test_vectors_that_do_not_fit_are_refused(vectors: Any, words: str) -> None:
    with pytest.raises(InputError, match=words):
        lp.EmbeddingRetriever(TEXTS, embed, embedder="map", vectors=vectors)
    with pytest.raises(InputError, match=words):
        lp.EmbeddingRetriever(TEXTS, lambda texts: vectors, embedder="map")


@pytest.mark.parametrize("vector", [[[0, 0]], [[float("inf"), 0]], [], None, [["x", "y"]]])
def test_a_query_without_a_usable_vector_is_an_outage(vector: Any) -> None:
    retriever = lp.EmbeddingRetriever(
        TEXTS, lambda texts: vector, embedder="map", vectors=embed(TEXTS)
    )
    with pytest.raises(ServerError, match="the retriever 'embedding' failed"):
        retriever("query", k=1)


def test_an_embedder_that_fails_is_an_outage() -> None:
    def away(texts: list[str]) -> Any:
        raise OSError("no route to host")

    retriever = lp.EmbeddingRetriever(TEXTS, away, embedder="map", vectors=embed(TEXTS))
    with pytest.raises(TransportError, match="no route to host"):
        retriever("query", k=1)


def test_another_embedder_is_told_by_its_dimensions() -> None:
    retriever = lp.EmbeddingRetriever(
        TEXTS, lambda texts: [[1, 2, 3]], embedder="map", vectors=embed(TEXTS)
    )
    with pytest.raises(InputError, match="gives the query 3 dimensions, and the documents have 2"):
        retriever("query", k=1)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"embed": 7}, "takes a function of texts, not a int"),
        ({"embedder": " "}, "embedder= names the embedder"),
        ({"batch": 0}, "batch= is a number of texts"),
    ],
)
def test_wrong_arguments_are_named(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        lp.EmbeddingRetriever(TEXTS, **{"embed": embed, "embedder": "map", **arguments})
