from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import langprog as lp
from langprog.errors import ConnectError, InputError
from tests.retrieval.members import CAPITALS, bm25, embedding

Ranking = Callable[[str, int], list[lp.Passage]]


def ranking(*ids: str) -> lp.Retriever:
    def search(query: str, k: int) -> list[lp.Passage]:
        return [lp.Passage(CAPITALS.document(id).text, 1.0, id) for id in ids][:k]

    return lp.FunctionRetriever(search, corpus=CAPITALS.digest)


def test_ranks_are_summed() -> None:
    both = lp.HybridRetriever([ranking("fr", "it", "es"), ranking("it", "jp")], constant=60)
    passages = both("x", k=4)
    assert [each.id for each in passages] == ["it", "fr", "jp", "es"]
    assert [each.score for each in passages] == pytest.approx(
        [1 / 62 + 1 / 61, 1 / 61, 1 / 62, 1 / 63]
    )


def test_no_more_than_the_depth_is_ranked() -> None:
    both = lp.HybridRetriever([ranking("fr", "it"), ranking("jp", "it")], depth=1)
    assert [each.id for each in both("x", k=1)] == ["fr"]
    assert [each.id for each in both("x", k=2)] == ["it", "fr"]


def test_a_part_that_fails_fails_the_search() -> None:
    def away(query: str, k: int) -> Any:
        raise ConnectionResetError("reset by peer")

    parts = [bm25(), lp.FunctionRetriever(away, corpus=CAPITALS.digest)]
    with pytest.raises(ConnectError, match="the retriever 'away' failed"):
        lp.HybridRetriever(parts)("Rome", k=1)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: lp.HybridRetriever([bm25()]), "two or more"),
        (lambda: lp.HybridRetriever([bm25(), "bm25"]), "two or more"),  # type: ignore[list-item]  # that is the test
        (lambda: lp.HybridRetriever([bm25(), lp.BM25Retriever(["x"])]), "different corpora"),
        (lambda: lp.HybridRetriever([bm25(), embedding()], depth=0), "depth of a HybridRetriever"),
        (lambda: lp.HybridRetriever([bm25(), embedding()], constant=-1), "constant="),
    ],
)
def test_what_does_not_fit_is_refused(make: Callable[[], Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        make()
