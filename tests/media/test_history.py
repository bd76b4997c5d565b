"""Turns of a conversation, as a value."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

import langprog as lp
from langprog.errors import FrozenError, InputError
from langprog.lm import Message

TURNS: list[dict[str, Any]] = [
    {"role": "user", "content": ["see", lp.Image(b"i")]},
    {"role": "assistant", "content": "a cat"},
    {"question": "which one?", "answer": "a tabby"},
]


def test_a_history_is_a_value_that_comes_back() -> None:
    history = lp.History(TURNS)
    assert len(history) == 3
    assert history == lp.History(messages=TURNS) == lp.History(history)
    assert lp.History.from_plain(history.to_plain()) == history
    assert pickle.loads(pickle.dumps(history)) == history
    assert hash(lp.History(TURNS)) == hash(history)
    with pytest.raises(FrozenError, match="with_turn"):
        history.turns = ()  # type: ignore[misc]  # the mistake


def test_a_longer_copy_is_made() -> None:
    short = lp.History()
    longer = short.with_turn(question="why?", answer="so").with_turn(role="user", content="hm")
    assert (len(short), len(longer)) == (0, 2)
    assert longer.turns[0]["answer"] == "so"


def test_messages_of_ours_and_of_endpoints_are_turns() -> None:
    parts = [{"type": "text", "text": "see"}]
    history = lp.History([Message("user", "hi"), {"role": "user", "content": parts}])
    assert [turn["content"] for turn in history] == ["hi", ("see",)]


@pytest.mark.parametrize(
    ("turns", "said"),
    [
        ("hello", "takes a list of turns, not str"),
        ([3], "turn 1 of a History is a int"),
        ([{}], "turn 1 of a History is empty"),
        ([{"role": "system", "content": "x"}], "has the role 'system'; it can be user or assis"),
        ([{"role": "user", "content": 3}], "is a text, or a list of texts and parts"),
        ([{"role": "user", "content": [3]}], "a piece of turn 1 of a History is a int"),
        ([{"role": "assistant", "content": [lp.Image(b"x")]}], "an assistant turn is text only"),
    ],
)
def test_what_is_no_turn_is_said(turns: Any, said: str) -> None:
    with pytest.raises(InputError, match=said):
        lp.History(turns)
