"""What models write around a value, and what is a part of it."""

from __future__ import annotations

from typing import Any

import pytest

from langprog.errors import ParseError
from langprog.signature import signature_of
from tests.adapters.replies import TextAdapter

CHAT, JSON = TextAdapter("chat"), TextAdapter("json")
TAILS = [
    "<|im_end|>",
    "<|eot_id|>",
    "<|endoftext|>",
    "<|end|>",
    "</s>",
    "<end_of_turn>",
    "<\uff5cend\u2581of\u2581sentence\uff5c>",
    "\n</s>\n<|im_end|>\n",
    "<|endofturn|>",
    "[|endofturn|]",
    "<|file_separator|>",
]
TURNS = [
    "<|im_end|>\n<|im_start|>user\nAnd Rome?<|im_end|>\n<|im_start|>assistant\n[[city]]\nRome",
    "<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nAnd Rome?",
    "<end_of_turn>\n<start_of_turn>user\nAnd Rome?",
    "</s><s>[INST] And Rome? [/INST] Rome",
    "<|end|><|user|>And Rome?<|end|>",
    "<\uff5cend\u2581of\u2581sentence\uff5c><\uff5cUser\uff5c>And Rome?",
]
CLOSINGS = ["\n[[/city]]", "[[ /city ]]", "</city>", "\n[/City]", "\n\n[[completed]]", "\n[[END]]"]
CLOSINGS += ["\n[[city_end]]", "\n[[END_CITY]]", "\n[[/]]", "\n[[city end]]"]
CLOSINGS += ["\n[[end of city]]", "<|im_end|>\n[[/city]]", "\n[[/city]]\n</s>"]


def city(text: str, kind: str = "str") -> Any:
    return CHAT.parse(signature_of(f"q -> city: {kind}"), text)["city"]


@pytest.mark.parametrize("tail", TAILS + CLOSINGS)
def test_what_closes_an_answer_is_no_part_of_it(tail: str) -> None:
    assert city(f"[[city]]\nOslo{tail}") == "Oslo"
    assert city(f"Oslo{tail}") == "Oslo"
    assert city(f"[[city]]\n7{tail}", "int") == 7
    assert city(f'[[city]]\n["Oslo"]{tail}', "list[str]") == ["Oslo"]


@pytest.mark.parametrize("tail", TAILS)
def test_what_closes_an_object_is_no_part_of_it(tail: str) -> None:
    spec = signature_of("q -> city, why: str")
    assert JSON.parse(spec, f'{{"city": "Oslo", "why": "x"}}{tail}')["city"] == "Oslo"
    assert JSON.parse(spec, f'{{"city": "Oslo", "why": "x"{tail}')["why"] == "x"


@pytest.mark.parametrize("turn", TURNS)
def test_a_turn_that_follows_the_answer_is_no_part_of_it(turn: str) -> None:
    assert city(f"[[city]]\nOslo{turn}") == "Oslo"
    assert city(f"Oslo{turn}") == "Oslo"
    assert city(f"[[city]]\n7{turn}", "int") == 7
    assert JSON.parse(signature_of("q -> city"), f'{{"city": "Oslo"}}{turn}')["city"] == "Oslo"


@pytest.mark.parametrize("tag", ["output", "response", "final_answer"])
def test_a_tag_around_the_sections_is_no_part_of_them(tag: str) -> None:
    assert city(f"<{tag}>\n[[city]]\nOslo\n</{tag}>") == "Oslo"
    assert city(f"<{tag}>[[city]]\n7</{tag}>", "int") == 7
    assert city(f"<{tag}>[[city]]\nOslo</{tag}>\nI hope <b>so</b>") != "Oslo"


@pytest.mark.parametrize("tag", ["</x>", "<unused95>", "<|thought_end|>"])
def test_a_draft_that_a_tag_parts_from_the_answer_is_not_joined_with_it(tag: str) -> None:
    with pytest.raises(ParseError, match="comes twice and differs"):
        city(f"<x>\n[[city]]\nRome{tag}[[city]]\nOslo")


def test_every_section_may_be_closed() -> None:
    text = "[[why]]\nit is north\n[[/why]]\n\n[[city]]\nOslo\n[[/city]]\n[[completed]]<|im_end|>"
    spec = signature_of("q -> why, city")
    assert CHAT.parse(spec, text) == {"why": "it is north", "city": "Oslo"}


@pytest.mark.parametrize(
    "text",
    [
        "see [[Oslo]]",
        "see [[completed]]",
        "the token </s> ends it",
        "<|im_end|> and more",
        "<s>Oslo</s>",
        "<b>Oslo</b>",
        "a <city>Oslo</city>",
        "a[1]",
        "x > y",
        "<|other|>",
        "it ends with `<|im_end|>\n<|im_start|>user` there",
        "<|im_start|>system\nx<|im_end|>\n<|im_start|>user\ny",
        "a </s><s> b",
    ],
)
def test_what_closes_nothing_stays(text: str) -> None:
    assert city(f"[[city]]\n{text}") == text
    assert city(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "City: Oslo",
        "**City:** Oslo",
        "**city**: Oslo",
        "# CITY:\nOslo",
        "<city>Oslo</city>",
        "### City\nOslo",
        "**City**\n\nOslo",
        "`city`: Oslo",
        "[city]: Oslo",
        "[City]\nOslo",
    ],
)
def test_the_fields_name_before_its_only_value_is_no_part_of_it(text: str) -> None:
    assert city(text) == "Oslo"
    assert city(text.replace("Oslo", "7"), "int") == 7
    assert city(f"[[city]]\n{text.replace('Oslo', '7')}", "int") == 7


@pytest.mark.parametrize(
    "text",
    [
        "# City\nOslo\n## More\nmore",
        "City\nOslo",
        "`city` Oslo",
        "Town: Oslo",
        "Cityscape: Oslo",
        "the city: Oslo",
        "city - Oslo",
        "city Oslo: it is",
    ],
)
def test_another_label_is_a_part_of_the_value(text: str) -> None:
    assert city(text) == text


def test_a_label_inside_a_section_is_a_part_of_a_text() -> None:
    assert city("[[city]]\nCity: Oslo") == "City: Oslo"
    assert city("city: city: Oslo") == "city: Oslo"


def test_double_brackets_after_what_is_no_text() -> None:
    assert city("[[city]]\n7 [[completed]]", "int") == 7
    assert city("[[city]]\nyes [[/bool]]", "bool") is True
    with pytest.raises(ParseError):
        city("[[city]]\n7 [[8]]", "int")
    assert city("[[city]]\n[[1]]", "list[list[int]]") == [[1]]
