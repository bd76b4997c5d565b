from __future__ import annotations

import math
import sys
from typing import Any

import pytest

import langprog as lp
from langprog.errors import InputError


def test_scores_are_those_of_the_formula() -> None:
    texts = ["the cat sat", "the dog and the cat and the cow", "a bird"]
    passages = lp.BM25Retriever(texts, k1=1.2, b=0.6)("cat bird", k=3)
    lengths = [3, 8, 2]

    def weight(times: int, length: int, documents: int) -> float:
        rarity = math.log(1 + (3 - documents + 0.5) / (documents + 0.5))
        longer = 1 - 0.6 + 0.6 * length / (sum(lengths) / 3)
        return rarity * times / (times + 1.2 * longer)

    expected = {"0": weight(1, 3, 2), "1": weight(1, 8, 2), "2": weight(1, 2, 1)}
    assert {each.id: each.score for each in passages} == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("CAFÉ", ["0"]),
        ("cafe\u0301", ["0"]),  # the accent as a letter of its own
        ("C 5", ["1"]),
        ("東京", ["2"]),
        ("strasse", ["3"]),
        ("nothing like it", []),
        ("?!", []),
    ],
)
def test_words_are_found_in_every_script(query: str, ids: list[str]) -> None:
    texts = ["the café by the river", "vitamin C 5 mg", "日本の首都は東京です。", "Lange Straße"]
    assert [each.id for each in lp.BM25Retriever(texts)(query, k=4)] == ids


def test_equal_scores_stay_in_order() -> None:
    retriever = lp.BM25Retriever(["same words", "other texts"] * 300)
    for k in (1, 7, 299, 300, 600):
        ids = [each.id for each in retriever("words", k=k)]
        assert ids == [str(2 * place) for place in range(min(k, 300))]


@pytest.mark.parametrize(
    "options",
    [{"k1": -1}, {"k1": math.inf}, {"b": 1.5}, {"b": True}, {"k1": "2"}, {"b": math.nan}],
)
def test_options_out_of_range_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=f"{next(iter(options))} of a BM25Retriever"):
        lp.BM25Retriever(["a b"], **options)


def test_a_corpus_without_words_is_refused() -> None:
    with pytest.raises(InputError, match="no document of the corpus has a word"):
        lp.BM25Retriever(["?", "!"])


def test_the_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "bm25s", None)
    with pytest.raises(InputError, match=r"pip install 'langprog\[retrieval\]'"):
        lp.BM25Retriever(["a b"])
