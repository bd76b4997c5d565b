from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import langprog as lp
from langprog.errors import InputError

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(str.strip)


def test_texts_are_named_by_their_position() -> None:
    corpus = lp.Corpus(["one text", "another"])
    assert [(each.id, each.text) for each in corpus] == [("0", "one text"), ("1", "another")]
    assert corpus.texts == ["one text", "another"]
    assert len(corpus) == 2 and corpus[1].text == "another"


def test_other_fields_of_a_dict_are_metadata() -> None:
    corpus = lp.Corpus(
        [{"_id": 7, "body": "a", "title": "t", "tags": ("x",)}], text="body", id="_id"
    )
    assert corpus.document("7").metadata == {"title": "t", "tags": ["x"]}
    with pytest.raises(InputError, match="no document '8'"):
        corpus.document("8")


@pytest.mark.parametrize(
    "rows",
    [
        [{"id": "a", "text": "x"}, {"id": "b", "text": "z"}],
        [{"id": "b", "text": "y"}, {"id": "a", "text": "x"}],
        [{"id": "a", "text": "x"}, {"id": "c", "text": "y"}],
        [{"id": "a", "text": "x"}, {"id": "b", "text": "y", "title": "t"}],
        [{"id": "a", "text": "x"}],
        [{"id": "a", "text": 'x", "id": "b'}, {"id": "b", "text": "y"}],
    ],
)
def test_another_corpus_has_another_digest(rows: list[dict[str, str]]) -> None:
    corpus = lp.Corpus([{"id": "a", "text": "x"}, {"id": "b", "text": "y"}])
    assert lp.Corpus(rows).digest != corpus.digest
    assert corpus.digest == lp.Corpus([{"text": "x", "id": "a"}, {"text": "y", "id": "b"}]).digest


@given(st.lists(TEXTS, min_size=1, unique=True))
def test_a_corpus_comes_back_from_its_data(texts: list[str]) -> None:
    corpus = lp.Corpus([{"text": text, "note": {"of": text}} for text in texts])
    again = lp.Corpus.from_json(json.loads(json.dumps([each.to_json() for each in corpus])))
    assert again.digest == corpus.digest and list(again) == list(corpus)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([], "has no documents"),
        ("text", "a corpus is a list of texts or dicts, not a str"),
        ({"text": "a"}, "not a dict"),
        (7, "not a int"),
        ([7], "document 1 of the corpus is a int"),
        (["a", " "], "document 2 of the corpus: its text is empty"),
        ([{"text": None}], "its text is a NoneType"),
        ([{"body": "a"}], "has no field 'text'; it has body: name the field"),
        ([{"id": "x", "text": "a"}, {"id": "x", "text": "b"}], "document 2 .* has the id 'x'"),
        ([{"id": None, "text": "a"}], "has the id None"),
        ([{"id": True, "text": "a"}], "has the id True"),
        (["a", {"id": "0", "text": "b"}], "has the id '0', which document 1"),
        ([{"text": "a", "when": {1, 2}}], "metadata that is not plain JSON"),
        ([{"text": "a", "score": float("nan")}], "metadata that is not plain JSON"),
        (["half \ud800"], "half of a character"),
    ],
)
def test_what_is_not_a_corpus_is_named(rows: Any, words: str) -> None:
    with pytest.raises(InputError, match=words):
        lp.Corpus(rows)


def test_files_are_corpora(tmp_path: Path) -> None:
    rows = [{"_id": "a", "text": "x", "title": "t"}, {"_id": "b", "text": "y", "title": "u"}]
    (tmp_path / "c.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    (tmp_path / "c.csv").write_text("_id,text,title\na,x,t\nb,y,u\n")
    expected = lp.Corpus(rows, id="_id")
    assert lp.load_corpus(tmp_path / "c.jsonl", id="_id").digest == expected.digest
    assert lp.load_corpus(tmp_path / "c.csv", id="_id").digest == expected.digest


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "c.jsonl: the corpus has no documents"),
        ('{"text": "a"}\n{"text": \n', "c.jsonl:2: not JSON"),
        ('{"text": "a"}\n{"body": "b"}\n', "c.jsonl, document 2 has no field 'text'"),
        ('{"text": "a"}\n["b"]\n', "c.jsonl:2: must be a JSON object"),
        (None, "c.jsonl: there is no such file"),
    ],
)
def test_a_wrong_row_of_a_file_is_named(tmp_path: Path, content: str | None, words: str) -> None:
    if content is not None:
        (tmp_path / "c.jsonl").write_text(content)
    with pytest.raises(InputError, match=words):
        lp.load_corpus(tmp_path / "c.jsonl")
