"""Thinking is no part of an answer, and an answer that mentions a tag loses nothing."""

from __future__ import annotations

from typing import Any

import pytest

from langprog.errors import ParseError
from langprog.signature import signature_of
from tests.adapters.replies import TextAdapter

CHAT, JSON = TextAdapter("chat"), TextAdapter("json")
DRAFT = '\nmaybe\n[[city]]\nRome\n[[why]]\nno\nor {"city": "Rome", "why": "no"}\n'
BOTH = signature_of("q -> city, why")
ANSWER = {"city": "Oslo", "why": "it is north"}
SECTIONS = "[[city]]\nOslo\n[[why]]\nit is north"
OBJECT = '{"city": "Oslo", "why": "it is north"}'

BLOCKS = [
    ("<think>", "</think>"),
    ("<Think>", "</THINK>"),
    ("<thinking>", "</thinking>"),
    ('<thinking time="2">', "</thinking>"),
    ("<thought>", "</thought>"),
    ("<reasoning>", "</reasoning>"),
    ("<analysis>", "</analysis>"),
    ("<scratchpad>", "</scratchpad>"),
    ("<seed:think>", "</seed:think>"),
    ("<inner_thoughts>", "</inner_thoughts>"),
    ("<thinking-process>", "</thinking-process>"),
    ("<reasoning_steps>", "</reasoning_steps>"),
    ("<self_reflection>", "</self_reflection>"),
    ("<cot>", "</cot>"),
    ("<mm:think>", "</mm:think>"),
    ("<think>", "</thinking>"),
    ("[THINK]", "[/THINK]"),
    ("[think]", "[/think]"),
    ("\u25c1think\u25b7", "\u25c1/think\u25b7"),
    ("<|begin_of_thought|>", "<|end_of_thought|><|begin_of_solution|>"),
    ("<|START_THINKING|>", "<|END_THINKING|><|START_RESPONSE|>"),
    ("<|channel|>analysis<|message|>", "<|end|><|start|>assistant<|channel|>final<|message|>"),
    ("<|channel>thought", "<channel|>"),
    ("<|im_start|>assistant\n<think>", "</think>"),
]


def city(text: str) -> Any:
    return CHAT.parse(signature_of("q -> city"), text)["city"]


@pytest.mark.parametrize(("opening", "closing"), BLOCKS)
def test_a_draft_in_any_usual_tag_does_not_count(opening: str, closing: str) -> None:
    assert CHAT.parse(BOTH, f"{opening}{DRAFT}{closing}\n\n{SECTIONS}") == ANSWER
    assert JSON.parse(BOTH, f"\n{opening}{DRAFT}{closing}{OBJECT}") == ANSWER
    assert city(f"{opening} which one? {closing}\nOslo") == "Oslo"


@pytest.mark.parametrize(("opening", "closing"), BLOCKS)
def test_the_opening_tag_may_have_been_in_the_prompt(opening: str, closing: str) -> None:
    assert CHAT.parse(BOTH, f"so{DRAFT}{closing}\n\n{SECTIONS}") == ANSWER
    assert JSON.parse(BOTH, f"so{DRAFT}{closing}\n{OBJECT}") == ANSWER
    assert city(f"which one?\n{closing}\n\nOslo") == "Oslo"


@pytest.mark.parametrize(("opening", "closing"), BLOCKS)
def test_a_reply_that_ends_while_it_is_still_thinking(opening: str, closing: str) -> None:
    for adapter in (CHAT, JSON):
        text = f"{opening}{DRAFT}"
        with pytest.raises(ParseError, match="it ends before the answer") as caught:
            adapter.parse(BOTH, text)
        assert caught.value.text == text


def test_nothing_after_the_thinking() -> None:
    for text in ("<think>Oslo</think>", "Oslo\n</think>\n", "<think>Oslo</think> \n"):
        with pytest.raises(ParseError):
            city(text)


@pytest.mark.parametrize(
    "text",
    [
        f"<think>a</think>\n<thinking>{DRAFT}</thinking>\n{SECTIONS}",
        f"<think>\n<think>a</think>\n{DRAFT}</think>\n{SECTIONS}",
        f"<think>I close with <think> later{DRAFT}</think>\n{SECTIONS}",
        f"so{DRAFT}</think>\nand{DRAFT}</think>\n{SECTIONS}",
        f"analysis: so{DRAFT}assistantfinal{SECTIONS}",
    ],
)
def test_several_blocks(text: str) -> None:
    assert CHAT.parse(BOTH, text) == ANSWER


@pytest.mark.parametrize(
    "value",
    [
        "</think>",
        "<think>",
        "a\n</think>\nb",
        "<think>a</think> b",
        "Use <think> and </think> around it",
        "first\n<think>\nx\n</think>\nthen",
        "[THINK]x[/THINK]",
        "<reasoning>x</reasoning>",
    ],
)
def test_a_tag_in_a_value_is_a_part_of_it(value: str) -> None:
    assert CHAT.parse(BOTH, f"[[city]]\n{value}\n[[why]]\nx") == {"city": value, "why": "x"}
    assert CHAT.parse(BOTH, f"[[city]]\nx\n[[why]]\n{value}") == {"city": "x", "why": value}
    written = value.replace("\n", "\\n")
    assert JSON.parse(BOTH, f'{{"city": "{written}", "why": "x"}}')["city"] == value
    assert JSON.parse(BOTH, f'So: {{"city": "x", "why": "{written}"}}')["why"] == value


@pytest.mark.parametrize(
    "text",
    [
        "End it with </think> and go on",
        'The tag "</think>" ends it',
        "The tag `</think>`\nends it",
        "Write this:\n<think>\nx\n</think>\nand go on",
        "<p>thinking</p>",
        "think</b>",
    ],
)
def test_a_tag_that_a_sentence_mentions_is_a_part_of_it(text: str) -> None:
    assert city(text) == text


def test_a_tag_of_an_outputs_own_name_is_no_thinking() -> None:
    spec = signature_of("q -> thinking, city")
    text = "[[thinking]]\n<thinking>\nnorth\n</thinking>\n[[city]]\nOslo"
    read = CHAT.parse(spec, text)
    assert read == {"thinking": "<thinking>\nnorth\n</thinking>", "city": "Oslo"}
    with pytest.raises(ParseError, match=r"\[\[thinking\]\] is missing"):
        CHAT.parse(spec, "<thinking>north</thinking>\n[[city]]\nOslo")


def test_a_draft_in_a_tag_of_an_outputs_own_name_does_not_count() -> None:
    spec = signature_of("q -> thinking, city")
    draft = "<thinking>\n[[city]]\nRome\n</thinking>\n"
    assert CHAT.parse(spec, f"{draft}[[thinking]]\nnorth\n[[city]]\nOslo")["city"] == "Oslo"
    text = '<thinking>{"city": "Rome"}</thinking>{"thinking": "north", "city": "Oslo"}'
    assert JSON.parse(spec, text)["city"] == "Oslo"
    assert CHAT.parse(signature_of("q -> thinking"), "<thinking>x</thinking>") == {"thinking": "x"}


def test_thinking_inside_a_section_is_no_part_of_what_is_no_text() -> None:
    spec = signature_of("q -> city, many: int")
    text = "[[city]]\nOslo\n[[many]]\n<think>two and one</think>\n3"
    assert CHAT.parse(spec, text) == {"city": "Oslo", "many": 3}
