from __future__ import annotations

import asyncio
import inspect
import re
import textwrap
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import langprog as lp
from langprog.errors import ConnectError, InputError, ServerError
from langprog.retrieval import late_interaction

ALPHABET = "abcdefghijklmnopqrstuvwxyz"


def letters(texts: list[str]) -> list[list[list[float]]]:
    """Return one vector for each letter: itself, and a little of the next one."""
    return [
        [
            [float(letter == each) + 0.1 * (ord(each) == ord(letter) + 1) for each in ALPHABET]
            for letter in text.lower()
            if letter in ALPHABET
        ]
        for text in texts
    ]


def max_sim(query: str, document: str) -> float:
    """Score as the paper writes it, with loops."""
    (asked,), (known,) = letters([query]), letters([document])
    total = 0.0
    for token in asked:
        cosines = [
            np.dot(token, other) / np.linalg.norm(token) / np.linalg.norm(other) for other in known
        ]
        total += max(cosines)
    return float(total)


WORD = st.text("abcdefg", min_size=1, max_size=8)


@settings(max_examples=50, deadline=None)
@given(documents=st.lists(WORD, min_size=1, max_size=12), query=WORD, at_once=st.integers(1, 900))
def test_scores_are_the_sum_over_the_query_of_the_nearest_token(
    documents: list[str], query: str, at_once: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(late_interaction, "_AT_ONCE", at_once)
        retriever = lp.LateInteractionRetriever(documents, letters, embedder="letters")
        passages = retriever(query, k=len(documents))
    scores = {int(passage.id): passage.score for passage in passages}
    for place, document in enumerate(documents):
        assert scores[place] == pytest.approx(max_sim(query, document), abs=1e-4)
    assert [passage.score for passage in passages] == sorted(scores.values(), reverse=True)


def test_it_is_asynchronous_where_the_embedder_is() -> None:
    async def later(texts: list[str]) -> Any:
        await asyncio.sleep(0)
        return letters(texts)

    retriever = lp.LateInteractionRetriever(["zebra", "moose"], later, embedder="letters", batch=1)
    (best,) = retriever("zebras", k=1)
    assert (best.text, best.id) == ("zebra", "0")
    assert retriever.options() == {"embedder": "letters", "dimensions": 26}


def test_vectors_that_are_there_are_not_made_again() -> None:
    calls: list[list[str]] = []

    def embed(texts: list[str]) -> Any:
        calls.append(texts)
        return letters(texts)

    corpus = lp.Corpus(["zebra", "moose"])
    retriever = lp.LateInteractionRetriever(
        corpus, embed, embedder="letters", vectors=letters(corpus.texts)
    )
    assert retriever("moose", k=1)[0].id == "1"
    assert calls == [["moose"]]


def test_it_is_a_retriever_of_a_program(tmp_path: Any) -> None:
    retriever = lp.LateInteractionRetriever(["zebra", "moose"], letters, embedder="letters")
    program = lp.Retrieve(retriever, k=1, name="animals")
    lp.save(program, tmp_path / "p.json")
    loaded = lp.load(tmp_path / "p.json", retrievers={"animals": retriever})
    prediction = loaded(query="zebras")
    assert prediction.passages == ["zebra"] and prediction.passages_ids == ["0"]


@pytest.mark.parametrize(
    ("vectors", "said"),
    [
        ([[[1.0, 0.0]]], "vectors= has 1 documents, and the corpus has 2"),
        ([[[1.0, 0.0]], []], "vectors of document 2 of the corpus are 0"),
        ([[[1.0, 0.0]], [1.0]], "vectors of document 2 of the corpus are 1"),
        ([[[1.0, 0.0]], [[1.0]]], "have 1 to 2 dimensions"),
        ([[[1.0, 0.0]], [[0.0, 0.0]]], "document 2 of the corpus is all zeros"),
        ([[[1.0, 0.0]], [[float("nan"), 0.0]]], "not finite"),
        ([[[1.0, 0.0]], "ab"], "are not numbers"),
    ],
)
def test_vectors_that_do_not_fit_are_refused(vectors: Any, said: str) -> None:
    with pytest.raises(InputError, match=said):
        lp.LateInteractionRetriever(["a", "b"], letters, embedder="e", vectors=vectors)


def test_bad_arguments_are_refused() -> None:
    for options, said in (
        ({"embed": 3, "embedder": "e"}, "embed= takes a function"),
        ({"embed": letters, "embedder": " "}, "embedder= names"),
        ({"embed": letters, "embedder": "e", "batch": 0}, "batch= is a number"),
        ({"embed": lambda texts: [], "embedder": "e"}, "one array for each of 1 documents"),
    ):
        with pytest.raises(InputError, match=said):
            lp.LateInteractionRetriever(["a"], **options)  # type: ignore[arg-type]


def test_an_embedder_that_fails_for_a_query_is_an_outage() -> None:
    replies: list[Any] = [letters(["ab"]), ConnectionError("away"), [], [[[0.0]]], [[[1.0]]]]

    def embed(texts: list[str]) -> Any:
        reply = replies.pop(0)
        if isinstance(reply, Exception):
            raise reply
        return reply

    retriever = lp.LateInteractionRetriever(["ab"], embed, embedder="e")
    with pytest.raises(ConnectError, match="away"):
        retriever("a")
    with pytest.raises(ServerError, match="tokens of one text"):
        retriever("a")
    with pytest.raises(ServerError, match="all zeros"):
        retriever("a")
    with pytest.raises(InputError, match="gives the query 1 dimensions"):
        retriever("a")


@pytest.mark.parametrize("thing", [lp.LateInteractionRetriever, lp.RerankRetriever])
def test_the_example_in_its_docstring_runs(thing: Any) -> None:
    example = re.search(r"Example::\n\n((?:    .*\n|\n)+)", inspect.getdoc(thing) or "")
    assert example is not None
    exec(textwrap.dedent(example[1]), {})
