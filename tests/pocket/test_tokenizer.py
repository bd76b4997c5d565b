from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from langprog.pocket.models import weights_folder
from langprog.pocket.tokenizer import END, Tokenizer
from langprog.pocket.world.vocabulary import build

TOKENIZER = build()
PARTS = st.sampled_from(
    [
        "invoice",
        "Invoices",
        "DON'T",
        "don't",
        " ",
        "  ",
        "\n",
        "[[team]]",
        "[[ ## team ## ]]",
        '{"a": "b"}',
        "1234",
        "12 34",
        "3.5",
        "iPhone",
        "e-mail",
        "caf\u00e9",
        "\U0001f600",
        "qzxj",
        "ABCdef",
        "'s",
        "(one of: a, b)",
        "\\[[x]]",
        "\t",
        "a_b",
        "$5",
        "X",
        "IT's",
    ]
)


@settings(max_examples=100, deadline=None)
@given(st.text())
def test_any_text_comes_back(text: str) -> None:
    assert TOKENIZER.decode(TOKENIZER.encode(text)) == text


@settings(max_examples=100, deadline=None)
@given(st.lists(PARTS, max_size=12).map("".join))
def test_text_like_prompts_comes_back(text: str) -> None:
    assert TOKENIZER.decode(TOKENIZER.encode(text)) == text


@given(st.text())
def test_text_never_holds_role_marks(text: str) -> None:
    assert all(i > END for i in TOKENIZER.encode(text))


@settings(deadline=None)
@given(st.lists(st.integers(0, len(TOKENIZER) - 1), max_size=30))
def test_any_ids_decode_to_text(ids: list[int]) -> None:
    assert isinstance(TOKENIZER.decode(ids), str)


@pytest.mark.parametrize(
    ("text", "count"),
    [("the invoice is wrong", 4), ("The invoice", 3), ("[[team]]\nharbor", 4), ("1234", 4)],
)
def test_known_text_is_short(text: str, count: int) -> None:
    assert len(TOKENIZER.encode(text)) == count


def test_saved_vocabulary_is_the_same(tmp_path: Path) -> None:
    TOKENIZER.save(tmp_path / "t.json")
    again = Tokenizer.load(tmp_path / "t.json")
    text = "Choose harbor for payment problems, atlas for qwxz."
    assert again.encode(text) == TOKENIZER.encode(text)
    assert len(again) == len(TOKENIZER)


def test_shipped_vocabulary_fits_the_word_files() -> None:
    shipped = Tokenizer.load(weights_folder() / "tokenizer.json")
    assert (list(shipped.words), list(shipped.pieces)) == (
        list(TOKENIZER.words),
        list(TOKENIZER.pieces),
    )
