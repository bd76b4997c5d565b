"""The time that it takes to read a reply grows as its length does, whatever stands in it."""

import time
from collections.abc import Callable

import pytest

from langprog.adapters import adapter_named
from langprog.adapters.thinking import MOST_TAGS
from langprog.errors import ParseError
from langprog.signature import signature_of
from tests.adapters.replies import TextAdapter

SMALL, FLOOR = 2_000, 0.000_25

FIELDS = (
    "q -> a",
    "q -> a: Literal['yes', 'no way']",
    "q -> a: dict[str, Optional[int]]",
    "q -> b: bool, a: list[list[float]]",
)


def repeated(*parts: str) -> Callable[[int], str]:
    """A reply of these parts: what comes first, what is said over and over, what comes last."""
    first, often, last = parts if len(parts) == 3 else (*parts, "")
    return lambda size: first + often * (size // len(often)) + last


SHAPES = {
    "words": repeated("[[a]]\n", "word "),
    "blanks": repeated("a", " ", "b"),
    "line breaks": repeated("a", "\n", "b"),
    "blanks in a fence": repeated("```\n", " ", "x"),
    "blanks after a fence": repeated("```", " ", "x"),
    "blanks in a fence that ends": repeated("```\nx", " ", "y```"),
    "blanks after a bullet": repeated("- ", " ", "\n-x"),
    "fences": repeated("{\n", "```a\n"),
    "fences with objects": repeated("", '```\n{"a": \n'),
    "fences with comments": repeated("", "```\n{/*\n"),
    "fences before a section": repeated("", "```\n\n", "[[a]]\n1"),
    "whole fences": repeated("", "```json\n[1,]\n```\n"),
    "escaped quotes": repeated('{"a": ', '\\"'),
    "escaped quotes in a text": repeated('{"a": "', '\\"'),
    "quotes": repeated('{"a": ', '"'),
    "quotes in a text": repeated('{"a": "', '"b" c ', '"}'),
    "apostrophes": repeated("['", "it's "),
    "backslashes": repeated("[[a]]\n", "\\", " [[a] \\[[a"),
    "escaped markers": repeated("[[a]]\n", "\\[[a]]", "\\[[a]]"),
    "backslashes before a marker": repeated("[[a]]\n", "\\", "\\[[a]] [[a]]"),
    "backslashes in a text": repeated('{"a": "', "\\", '"'),
    "double brackets": repeated("", "[["),
    "brackets": repeated("", "["),
    "braces": repeated("", "{"),
    "braces with blanks": repeated("", "{ "),
    "closed braces": repeated("", "{}"),
    "braces in words": repeated("", "{x} "),
    "objects": repeated("", '{"a":'),
    "lists with a comma too many": repeated("", "[1,] "),
    "objects that are the same": repeated("", '{"a": 1,}\n'),
    "numbers": repeated('{"a": [', "1, ", "1]}"),
    "thousands": repeated("[", "1,000, ", "1]"),
    "digits": repeated("[[a]]\n", "1"),
    "signs": repeated("[[a]]\n", "-"),
    "underscores": repeated("[[a]]\n", "_", "x"),
    "commas": repeated("[", ","),
    "words in an object": repeated("{", "a "),
    "keys": repeated("{", "a: b, ", "}"),
    "comments": repeated("[1 ", "/*"),
    "whole comments": repeated("[1 ", "/**/", "]"),
    "members without commas": repeated("{", '"a": 1 ', "}"),
    "markers on one line": repeated("", "[[a]]"),
    "markers": repeated("", "[[a]]\n"),
    "markers with blanks": repeated("", "[[ "),
    "a marker with blanks": repeated("[[", " ", "a]]"),
    "signs in markers": repeated("", "[[ ## "),
    "closings": repeated("[[a]]\nx", "\n[[/a]]"),
    "tokens": repeated("[[a]]\nx", "</s>"),
    "tokens with an opening": repeated("[[a]]\n<s>x", "</s>"),
    "openings of thinking": repeated("", "<think>"),
    "openings of thinking on lines": repeated("", "<think>\n<think></think>"),
    "thinking": repeated("", "<think>x</think>\n", "[[a]]\n1"),
    "thinking that is closed otherwise": repeated("", "<think>x</thought>", "[[a]]\n1"),
    "ends of thinking": repeated("x", "\n</think>"),
    "openings in square brackets": repeated("", "[THINK]"),
    "channels": repeated("", "<|channel|>analysis<|message|>x", "<|channel|>final<|message|>1"),
    "attributes": repeated("", "<think a"),
    "prefixes": repeated("", "a:<a:think:"),
    "bullets": repeated("[[a]]\n", "- x\n"),
    "bullets without items": repeated("[[a]]\n", "-\n"),
    "labels": repeated("", "a: x\n"),
    "labels on one line": repeated("", "**a:** "),
    "decorated lines": repeated("", "- **"),
    "double signs": repeated("[[a]]\n", "**a"),
}


def grows_with_length(parse: Callable[[str], object], small: str, large: str) -> bool:
    """Whether ``large``, 8 times as long, takes less than 12 times as long as ``small``."""
    for _ in range(10):  # both at nearly the same time: what else runs slows both down
        took = seconds(parse, large, 1)
        if took < 12 * FLOOR or took < 12 * seconds(parse, small, 2):
            return True
    return False


def seconds(parse: Callable[[str], object], text: str, rounds: int) -> float:
    best = float("inf")
    for _ in range(rounds):
        started = time.process_time()
        try:
            parse(text)
        except ParseError:
            pass
        best = min(best, time.process_time() - started)
    return best


@pytest.mark.parametrize("adapter", ["chat", "json", "xml"])
@pytest.mark.parametrize("shape", SHAPES)
def test_time_to_read(adapter: str, shape: str) -> None:
    small, large = SHAPES[shape](SMALL), SHAPES[shape](8 * SMALL)
    for field in FIELDS:
        spec = signature_of(field)

        def parse(text: str, spec: object = spec) -> object:
            return TextAdapter(adapter).parse(spec, text)  # type: ignore[arg-type]

        assert grows_with_length(parse, small, large), field


@pytest.mark.parametrize("adapter", ["chat", "json", "xml"])
@pytest.mark.parametrize("shape", SHAPES)
def test_time_to_read_a_stream(adapter: str, shape: str) -> None:
    small, large = SHAPES[shape](SMALL), SHAPES[shape](8 * SMALL)
    spec = signature_of("q -> a")
    for size in (40, 8 * SMALL):

        def read(text: str, size: int = size) -> None:
            reader = adapter_named(adapter).stream_reader(spec)
            assert reader is not None
            for begin in range(0, len(text), size):
                reader.feed(text[begin : begin + size])

        assert grows_with_length(read, small, large), size


@pytest.mark.parametrize(
    ("adapter", "often"),
    [
        ("chat", "\n[[a]]\nx"),
        ("chat", "<think>"),
        ("json", "</think>\n"),
        ("xml", "<a>"),
        ("xml", "\n<q>x</q>"),
    ],
)
def test_more_tags_than_any_model_writes_are_refused(adapter: str, often: str) -> None:
    spec = signature_of("q -> a")
    with pytest.raises(ParseError, match=f"more than {MOST_TAGS} tags or markers"):
        TextAdapter(adapter).parse(spec, often * (MOST_TAGS + 1))


def test_many_markers_that_say_the_same_are_read() -> None:
    text = "[[a]]\nx\n" * (MOST_TAGS - 1)
    assert TextAdapter("chat").parse(signature_of("q -> a"), text) == {"a": "x"}
