"""What every retriever keeps, whatever it searches with."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import langprog as lp
from langprog.errors import ArtifactError, InputError
from langprog.retrieval import RetrieverSpec, spec_of
from tests.retrieval.members import CAPITALS, MEMBERS

Make = Callable[[], lp.Retriever]
QUERY = "What is the capital of Italy?"

members = pytest.mark.parametrize("make", MEMBERS, ids=lambda make: make.__name__)


@members
def test_the_best_passage_comes_first_with_its_id_and_metadata(make: Make) -> None:
    first, *others = make()(QUERY, k=3)
    assert (first.id, first.text) == ("it", "Rome is the capital of Italy.")
    assert first.metadata["title"] == "Italy"
    assert len(others) == 2
    assert [each.score for each in (first, *others)] == sorted(
        (each.score for each in (first, *others)), reverse=True
    )
    assert type(first.score) is float


@members
def test_fewer_passages_are_the_first_of_more(make: Make) -> None:
    retriever = make()
    most = retriever("the capital of the night", k=5)
    for k in range(1, 6):
        assert retriever("the capital of the night", k=k) == most[:k]
    assert len({each.id for each in most}) == len(most) <= 5


@members
def test_more_than_there_are_is_all_there_are(make: Make) -> None:
    assert 1 <= len(make()(QUERY, k=100)) <= len(CAPITALS)


@members
def test_every_passage_is_a_document_of_the_corpus(make: Make) -> None:
    for passage in make()("sail to Paris, Rome, Madrid and Tokyo", k=5):
        document = CAPITALS.document(passage.id)
        assert (passage.text, passage.metadata) == (document.text, document.metadata)


@members
@pytest.mark.parametrize("query", ["", " \n", None, 7, ["x"]])
def test_what_is_not_a_query_is_refused(make: Make, query: Any) -> None:
    with pytest.raises(InputError, match="query of a retriever is empty|searches for a text"):
        make()(query, k=1)


@members
@pytest.mark.parametrize("k", [0, -1, True, 2.0, None, 10_001])
def test_what_is_not_a_number_of_passages_is_refused(make: Make, k: Any) -> None:
    with pytest.raises(InputError, match="k of a retriever is a number of passages"):
        make()("Rome", k=k)


@members
def test_many_searches_at_once_find_what_one_finds(make: Make) -> None:
    retriever = make()
    queries = [f"capital of {each.metadata['title']}" for each in CAPITALS] * 4
    alone = [retriever(query, k=2) for query in queries]

    async def together() -> list[list[lp.Passage]]:
        return await asyncio.gather(*(retriever.acall(query, k=2) for query in queries))

    assert asyncio.run(together()) == alone
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda query: retriever(query, k=2), queries)) == alone


@members
def test_it_is_known_by_small_plain_data(make: Make) -> None:
    spec = spec_of(make())
    assert spec.corpus == CAPITALS.digest
    assert RetrieverSpec(**json.loads(json.dumps(spec.to_json()))) == spec == spec_of(make())
    assert spec.difference(spec_of(make())) is None


@members
def test_a_program_is_saved_with_it_and_loaded_with_the_like_of_it(
    make: Make, tmp_path: Path
) -> None:
    program = lp.Retrieve(make(), k=2, name="capitals")
    lp.save(program, tmp_path / "p.json")
    loaded = lp.load(tmp_path / "p.json", retrievers={"capitals": make()})
    assert loaded(query=QUERY).to_dict() == program(query=QUERY).to_dict()
    with pytest.raises(ArtifactError, match="needs your retriever 'capitals'"):
        lp.load(tmp_path / "p.json")


@members
@settings(max_examples=25, deadline=None)
@given(query=st.text(min_size=1).filter(lambda text: text.strip()), k=st.integers(1, 7))
def test_any_text_is_a_query(make: Make, query: str, k: int) -> None:
    retriever = make()
    passages = retriever(query, k=k)
    assert len(passages) <= k
    assert passages == retriever(query, k=k)
