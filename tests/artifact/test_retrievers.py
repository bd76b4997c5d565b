"""A loaded program searches the corpus that it was certified with, or is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import langprog as lp
from langprog.artifact import digest_of, read_artifact
from langprog.errors import ArtifactError, InputError
from tests.retrieval.members import CAPITALS, MEMBERS, Own, bm25, shared_words


def saved(tmp_path: Path, **options: Any) -> Path:
    lp.save(lp.Retrieve(bm25(), name="capitals", **options), tmp_path / "p.json")
    return tmp_path / "p.json"


def test_the_artifact_holds_data_and_no_corpus(tmp_path: Path) -> None:
    path = saved(tmp_path, k=2)
    assert json.loads(path.read_text())["program"] == {
        "module": "Retrieve",
        "retriever": {
            "name": "capitals",
            "kind": "bm25",
            "options": {"b": 0.75, "k1": 1.5},
            "corpus": CAPITALS.digest,
            "documents": None,
        },
        "k": 2,
        "query": "query",
        "passages": "passages",
        "timeout": 60.0,
    }
    assert "Paris" not in path.read_text()


def test_the_corpus_alone_is_enough_where_a_retriever_is_made_from_it(tmp_path: Path) -> None:
    lp.save(lp.Retrieve(lp.BM25Retriever(CAPITALS, k1=0.9), name="x"), tmp_path / "p.json")
    loaded = lp.load(tmp_path / "p.json", retrievers={"x": CAPITALS})
    assert loaded.retriever.options() == {"b": 0.75, "k1": 0.9}
    lp.save(lp.Retrieve(Own(), name="x"), tmp_path / "q.json")
    with pytest.raises(ArtifactError, match="'own' is not a kind of retriever here"):
        lp.load(tmp_path / "q.json", retrievers={"x": CAPITALS})


@pytest.mark.parametrize(
    ("handed", "words"),
    [
        ({}, r"needs your retriever 'capitals' \(kind 'bm25'.*retrievers=\{'capitals': ...\}"),
        ({"capitals": lp.Corpus(["other"])}, "searches another corpus"),
        ({"capitals": lp.BM25Retriever(["other"])}, "searches another corpus"),
        ({"capitals": lp.BM25Retriever(CAPITALS, k1=2)}, r"other options \(b=0.75, k1=2.0, not"),
        ({"capitals": shared_words}, "is of the kind 'function', not 'bm25'"),
        ({"capitals": 7}, "is an lp.Retriever or a function"),
        ({"capitals": bm25(), "more": bm25()}, "has 'more', but the artifact has capitals"),
        ([bm25()], "takes a dict of names"),
    ],
)
def test_another_retriever_is_refused_in_a_sentence(
    tmp_path: Path, handed: Any, words: str
) -> None:
    path = saved(tmp_path)
    with pytest.raises(ArtifactError, match=words) as caught:
        lp.load(path, retrievers=handed)
    assert "\n" not in str(caught.value)


def test_a_small_corpus_is_kept_where_that_is_asked_for(tmp_path: Path) -> None:
    path = saved(tmp_path, keep_corpus=True)
    loaded = lp.load(path)
    assert loaded(query="Rome").passages_ids == ["it"]
    lp.save(loaded, tmp_path / "again.json")
    assert lp.load(tmp_path / "again.json")(query="Rome").passages_ids == ["it"]
    assert lp.load(path, retrievers={"capitals": bm25()})(query="Rome").passages_ids == ["it"]
    with pytest.raises(ArtifactError, match="searches another corpus"):
        lp.load(path, retrievers={"capitals": lp.Corpus(["Rome"])})


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda data: data["documents"].pop(), "searches another corpus"),
        (lambda data: data["documents"].clear(), "the corpus has no documents"),
        (lambda data: data.update(corpus="sha256:0"), "searches another corpus"),
        (lambda data: data.update(options={"k1": 1.5}), "options of a BM25Retriever are k1 and b"),
        (lambda data: data.update(options={"k1": -1, "b": 0}), "k1 of a BM25Retriever"),
        (lambda data: data.update(kind="embedding"), "cannot be created from its corpus alone"),
        (lambda data: data.update(kind="other"), "'other' is not a kind of retriever here"),
        (lambda data: data["documents"].append({"id": "x"}), "Field required"),
        (lambda data: data["documents"][0].update(text="a b " * 250_001), "is for a small corpus"),
        (lambda data: data["documents"].append(data["documents"][0]), "has the id 'fr'"),
    ],
)
def test_a_corpus_that_was_changed_in_the_file_is_refused(
    tmp_path: Path, change: Any, words: str
) -> None:
    path = saved(tmp_path, keep_corpus=True)
    data = json.loads(path.read_text())
    del data["digest"]
    change(data["program"]["retriever"])
    path.write_text(json.dumps({**data, "digest": digest_of(data)}))
    with pytest.raises(ArtifactError, match=words):
        lp.load(path)


def test_a_retriever_that_does_not_say_what_it_searches_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="does not say which corpus it searches"):
        lp.save(lp.Retrieve(shared_words), tmp_path / "p.json")
    with pytest.raises(InputError, match="options of the retriever 'big'"):
        lp.Retrieve(Big())
    assert not list(tmp_path.iterdir())


class Big(Own):
    kind = "big"

    def options(self) -> dict[str, Any]:
        return {"data": "x" * 20_000}


def test_two_retrievers_of_one_name_are_told_apart_before_anything_is_written(
    tmp_path: Path,
) -> None:
    other = lp.BM25Retriever(["Oslo is in Norway."])
    program = lp.Pipeline(a=lp.Retrieve(bm25()), b=lp.Retrieve(other, query="x", passages="y"))
    with pytest.raises(ArtifactError, match="two different retrievers .* called 'bm25'"):
        lp.save(program, tmp_path / "p.json")
    program = lp.Pipeline(
        a=lp.Retrieve(bm25()), b=lp.Retrieve(other, query="x", passages="y", name="norway")
    )
    lp.save(program, tmp_path / "p.json")
    loaded = lp.load(tmp_path / "p.json", retrievers={"bm25": CAPITALS, "norway": other})
    assert loaded(query="Rome", x="Oslo").y == ["Oslo is in Norway."]


def test_a_subclass_of_your_own_keeps_its_corpus_too(tmp_path: Path) -> None:
    lp.save(Loud(bm25()), tmp_path / "p.json")
    loaded = lp.load(tmp_path / "p.json", classes=[Loud(bm25())])
    assert loaded(query="Rome").passages == ["ROME IS THE CAPITAL OF ITALY."]
    with pytest.raises(ArtifactError, match="searches another corpus"):
        lp.load(tmp_path / "p.json", classes=[Loud(lp.BM25Retriever(["Rome"]))])


class Loud(lp.Retrieve):
    """Somebody's own kind of it."""

    async def aforward(self, **inputs: Any) -> lp.Prediction:
        prediction = await super().aforward(**inputs)
        texts = [text.upper() for text in prediction.passages]
        return lp.Prediction(**{**prediction, "passages": texts})


@pytest.mark.parametrize("make", MEMBERS, ids=lambda make: make.__name__)
def test_what_was_loaded_is_written_the_same(make: Any, tmp_path: Path) -> None:
    lp.save(lp.Retrieve(make(), name="x"), tmp_path / "a.json")
    lp.save(lp.load(tmp_path / "a.json", retrievers={"x": make()}), tmp_path / "b.json")
    programs = [read_artifact(tmp_path / f"{name}.json").data.program for name in "ab"]
    assert programs[0] == programs[1]
