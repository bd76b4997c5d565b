from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

import langprog as lp
from langprog.errors import ArtifactError, ConnectError, InputError, ServerError
from optimizers.search.space import list_module_choices
from tests.retrieval.test_late_interaction import letters

CORPUS = lp.Corpus([f"document {number} {'x' * (number % 7)}" for number in range(40)])
FIRST = lp.BM25Retriever(CORPUS)


def longest(query: str, texts: list[str]) -> list[float]:
    return [float(len(text)) for text in texts]


def make(**options: Any) -> lp.RerankRetriever:
    options = {"rerank": longest, "reranker": "longest 1", "depth": 20, **options}
    return lp.RerankRetriever(options.pop("first", FIRST), **options)


def test_candidates_are_ranked_anew_and_ties_keep_their_order() -> None:
    first = FIRST("document", k=20)
    passages = make()("document", k=5)
    wanted = sorted(first, key=lambda passage: -len(passage.text))[:5]
    assert [passage.id for passage in passages] == [passage.id for passage in wanted]
    assert [passage.score for passage in passages] == [len(passage.text) for passage in passages]


def test_depth_decides_how_many_are_ranked_and_is_at_least_k() -> None:
    seen: list[int] = []

    async def count(query: str, texts: list[str]) -> list[int]:
        await asyncio.sleep(0)
        seen.append(len(texts))
        return list(range(len(texts)))

    retriever = make(rerank=count, reranker="count", depth=7)
    retriever("document", k=2)
    retriever.with_depth(9)("document", k=2)
    retriever("document", k=12)
    assert seen == [7, 9, 12]
    assert retriever("nothing fits", k=2) == [] and len(seen) == 3


def test_late_interaction_ranks_the_candidates_of_the_same_corpus() -> None:
    corpus = lp.Corpus(["red zebra", "red moose", "blue zebra"])
    late = lp.LateInteractionRetriever(corpus, letters, embedder="letters")
    retriever = lp.RerankRetriever(lp.BM25Retriever(corpus), rerank=late, depth=2)
    assert [passage.text for passage in retriever("red mose", k=2)] == ["red moose", "red zebra"]
    assert "rerank" in retriever.options() and retriever.corpus_digest == corpus.digest
    with pytest.raises(InputError, match="search different corpora"):
        lp.RerankRetriever(FIRST, rerank=late)


def test_depth_is_searched_and_saved_but_does_not_make_it_another_retriever(
    tmp_path: Path,
) -> None:
    program = lp.Retrieve(make(), k=3, name="docs")
    assert program.depth == 20
    choices = {choice.key: choice.values for choice in list_module_choices(program)}
    assert choices["program.depth"] == [20, 10, 30] and 3 in choices["program.k"]
    deeper = program.with_parameters({"program.depth": 30})
    assert deeper.depth == 30 and program.depth == 20
    lp.save(deeper, tmp_path / "p.json")
    loaded = lp.load(tmp_path / "p.json", retrievers={"docs": make(depth=5)})
    assert isinstance(loaded, lp.Retrieve) and loaded.depth == 30
    assert loaded(query="document").passages == deeper(query="document").passages
    assert deeper(query="document").passages != program(query="document").passages
    with pytest.raises(ArtifactError, match="has other options"):
        lp.load(tmp_path / "p.json", retrievers={"docs": make(reranker="longest 2")})


def test_a_depth_needs_a_retriever_that_reranks() -> None:
    with pytest.raises(InputError, match=r"lp.RerankRetriever\(first, rerank=...\)"):
        lp.Retrieve(FIRST, depth=10)
    assert "depth" not in lp.Retrieve(FIRST).search_space()
    with pytest.raises(InputError, match="'bm25' does not rerank"):
        FIRST.with_depth(3)
    with pytest.raises(InputError, match="depth of a Retrieve"):
        lp.Retrieve(make(), depth=0)
    with pytest.raises(InputError, match="depth of a Retrieve"):
        lp.Retrieve(make()).with_parameters({"program.depth": 0})


@pytest.mark.parametrize(
    ("scores", "said"),
    [
        ([1.0], "returned 1 scores for 20 passages"),
        ([float("nan")] * 20, "not finite"),
        (["high"] * 20, "did not return numbers"),
        (None, "did not return numbers"),
    ],
)
def test_scores_that_are_none_are_an_outage(scores: Any, said: str) -> None:
    retriever = make(rerank=lambda query, texts: scores)
    with pytest.raises(ServerError, match=said):
        retriever("document")


def test_a_reranker_that_fails_is_an_outage() -> None:
    def away(query: str, texts: list[str]) -> list[float]:
        raise ConnectionError("away")

    with pytest.raises(ConnectError, match="away"):
        lp.Retrieve(make(rerank=away))(query="document")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"first": "bm25"}, "first= of a RerankRetriever is a str"),
        ({"rerank": FIRST}, "not a BM25Retriever"),
        ({"rerank": "longest"}, "not a str"),
        ({"reranker": " "}, "reranker= names the function"),
        ({"depth": 0}, "depth of a RerankRetriever"),
    ],
)
def test_bad_arguments_are_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        make(**options)
