"""A sentence that names exactly one option is that option, and no other sentence is."""

from __future__ import annotations

from enum import Enum
from typing import Any, Literal, Optional

import pytest

from langprog.errors import ParseError
from langprog.signature import FieldSpec, signature_of
from tests.adapters.replies import TextAdapter

CHAT, JSON = TextAdapter("chat"), TextAdapter("json")


class Mood(Enum):
    GOOD = "good"
    BAD = "very bad"


Tone = Literal["warm", "cold", "luke warm"]


def read(kind: Any, text: str) -> Any:
    spec = signature_of("q -> y").with_field(FieldSpec("x", "output", kind)).without_field("y")
    return CHAT.parse(spec, text)["x"]


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (Tone, "The tone of this letter is warm.", "warm"),
        (Tone, "I would call it **Cold**!", "cold"),
        (Tone, "[[x]]\nIt sounds luke-warm to me.", "luke warm"),
        (Tone, "Tone = WARM", "warm"),
        (Tone, "warm\n\nThe writer thanks everybody.", "warm"),
        (Optional[Tone], "The tone is cold.", "cold"),  # noqa: UP045 - one of the ways to write it
        (Tone, "Based on its words, the tone is clearly cold overall.", "cold"),
        (Tone, "This is a warm message.", "warm"),
        (Tone, "Der Ton ist warm.", "warm"),
        (Tone, "I'd classify this as cold because it is short.", "cold"),
        (Mood, "Their mood is very bad.", Mood.BAD),
        (Literal["sure", "not sure"], "They are not sure.", "not sure"),
        (Literal["York", "New York"], "The flight goes to New York.", "New York"),
        (Literal["A", "B", "C"], "The right option is B.", "B"),
        (Literal["A", "B", "C"], "Option (A)", "A"),
        (Literal[1, 2, 3], "I give it a 2.", 2),
        (Literal["IT", "HR"], "I think it belongs to HR.", "HR"),
        (Literal["yes", "no"], "No, it is not there.", "no"),
        (Literal["C++", "C"], "It is written in C++.", "C++"),
        (bool, "Yes, it is.", True),
        (bool, "No. Nothing is missing.", False),
        (bool, "**True**\nThe two agree.", True),
    ],
)
def test_a_sentence_that_names_one(kind: Any, text: str, value: Any) -> None:
    assert read(kind, text) == value


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (Tone, "The tone is not warm."),
        (Tone, "It isn\u2019t cold."),
        (Tone, "It is warm or cold."),
        (Tone, "It is anything but warm."),
        (Tone, "Is it warm?"),
        (Tone, "It is warmer than before."),
        (Tone, "Der Ton ist nicht warm."),
        (Tone, "Le ton n\u2019est pas warm."),
        (Tone, "Ton bu warm de\u011fil."),
        (Tone, "\u8bed\u6c14\u4e0d\u662f warm"),
        (Tone, "Ton warm to nie jest."),
        (Tone, "\u274c warm"),
        (Tone, "~~warm~~"),
        (Tone, "I doubt that it is warm."),
        (Tone, "The label warm is excluded."),
        (Tone, "It stops short of warm."),
        (Tone, "Less warm."),
        (Tone, "Reject warm."),
        (Tone, "It wouldnt be warm."),
        (Tone, "Nobody calls this warm."),
        (Literal["C++", "C"], "It is C sharp."),
        (Tone, "It is non-cold."),
        (Tone, "lukewarm"),
        (Tone, "It could be either."),
        (Tone, "It is warm, but who knows"),
        (Tone, "a warm word " * 200),
        (Mood, "It is bad."),
        (Literal["A", "B", "C"], "A letter came."),
        (Literal["A", "B", "C"], "It is A or B."),
        (Literal[1, 2, 3], "2 of 5"),
        (Literal[1, 2, 3], "It is 2.5."),
        (Literal[1, 2, 3], "-1"),
        (Literal["IT", "HR"], "I like it."),
        (Literal["yes", "no"], "Yes and no."),
        (bool, "Yes, it is not."),
        (bool, "Yes and no."),
        (bool, "No, that is true."),
        (bool, "It is true."),
        (int, "There are 3."),
    ],
)
def test_a_sentence_that_names_none_or_several(kind: Any, text: str) -> None:
    with pytest.raises(ParseError):
        read(kind, text)


def test_only_where_it_is_the_only_output() -> None:
    spec = signature_of("q -> why, tone: Literal['warm', 'cold']")
    with pytest.raises(ParseError, match="must be one of: warm, cold"):
        CHAT.parse(spec, "[[why]]\nx\n[[tone]]\nThe tone is warm.")
    with pytest.raises(ParseError, match="must be one of: warm, cold"):
        JSON.parse(spec, '{"why": "x", "tone": "The tone is warm."}')


def test_in_an_object() -> None:
    spec = signature_of("q -> tone: Literal['warm', 'cold']")
    assert JSON.parse(spec, '{"tone": "The tone is warm."}') == {"tone": "warm"}
    with pytest.raises(ParseError):
        JSON.parse(spec, '{"tone": ["The tone is warm."]}')


def test_what_is_thought_in_a_section_names_nothing() -> None:
    with pytest.raises(ParseError):
        read(Tone, "[[x]]\n<think>It is warm.</think>\nI would say so.")
    with pytest.raises(ParseError):
        read(Tone, "[[x]]\n<think>It is warm.")
    assert read(Tone, "[[x]]\n<think>Warm or cold?</think>\nThe tone is cold.") == "cold"
