"""Broken JSON: what is read, what is refused, and that nothing of it is ever changed."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from langprog.adapters.json_reader import STRICT, Ambiguous, CutOff, Unquoted
from langprog.adapters.loose_json import loose_json


def read(text: str, *, closed: bool = False) -> Any:
    kind = list if text.lstrip("`json \n")[:1] == "[" else dict
    found = loose_json(text, kind, closed=closed)
    return None if found is None else found.value


# Numbers come as they were written: what they are is told by their field.
@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": 1, "b": 2,}', {"a": "1", "b": "2"}),
        ("{'a': 'x'}", {"a": "x"}),
        ('{\u201ca\u201d: \u201cx "y" z\u201d}', {"a": 'x "y" z'}),
        ("{a: 'x', b-c: true, d e: null}", {"a": "x", "b-c": True, "d e": None}),
        ('{"a": "x"\n "b": 2\n}', {"a": "x", "b": "2"}),
        ('{"a": 2 "b": 3}', {"a": "2", "b": "3"}),
        ('{"a": "she said "no" twice", "b": 1}', {"a": 'she said "no" twice', "b": "1"}),
        ('{"a": "the word "no""}', {"a": 'the word "no"'}),
        ("['it's', 'o'clock']", ["it's", "o'clock"]),
        ("['say \"hi\"']", ['say "hi"']),
        ("['a\\'b']", ["a'b"]),
        ('["line\nbreak",]', ["line\nbreak"]),
        ('["tab\\t", "\\u00e9\\ud83d\\ude42",]', ["tab\t", "é🙂"]),
        (r'["\(x^2\)", "\alpha"]', [r"\(x^2\)", r"\alpha"]),
        (r'["\d+ \"x\""]', [r'\d+ "x"']),
        ("{\"a\": 1, // the first\n 'b': 2 /* the second */}", {"a": "1", "b": "2"}),
        ("[1, # one\n2]", ["1", "2"]),
        ("[red, dark blue]", ["red", "dark blue"]),
        ("{at: 9:45, code: 0042, price: 3.50}", {"at": "9:45", "code": "0042", "price": "3.50"}),
        ('{"population": 2,148,000, "area": 105.4}', {"population": "2,148,000", "area": "105.4"}),
        ("{'a': True, 'b': None}", {"a": "True", "b": "None"}),
        ('```json\n{"a": "x\n```sh\nls {}\n```\ny",}\n```', {"a": "x\n```sh\nls {}\n```\ny"}),
        ('```json\n{"a": [1,],}\n```', {"a": ["1"]}),
        ("[[1,], [2],]", [["1"], ["2"]]),
    ],
)
def test_only_punctuation_is_forgiven(text: str, value: Any) -> None:
    assert read(text) == value


@pytest.mark.parametrize(
    "text",
    [
        "[1,,2]",
        "[,1]",
        '{"a": }',
        '{"a" "b"}',
        '{"a": 1, "b"}',
        '["a" "b"]',
        '["a"\n"b"]',
        '{"a": "x" "y"}',
        '["a", ...]',
        '["a", \u2026]',
        '["a" // and more ...\n]',
        '["a", /* the rest ... */]',
        '{"a": "the "b", and "c" d"}',
        '{"a": "x "y", "b": "z"}',
        '{"a": """x"""}',
        '{"a": say "x"}',
        "{'a': 'the dogs' bowl'}",
        "{a: b: c}",
        "{note: see this, and that}",
        '["\\(x\\)", "a\\nb"]',
        '["C:\\new\\data"]',
        "[1, 2}",
        "{a; b}",
        '{"a": 1,000, "b"}',
    ],
)
def test_what_more_than_punctuation_would_mend_is_refused(text: str) -> None:
    assert read(text) is None


@pytest.mark.parametrize(
    "text",
    ['["a", "b', '{"a": "x', '{"a": [1, 2', '{"a": 1, "b', '{"a": "x",', '["a"', '{"a": tru'],
)
def test_what_is_cut_off_is_refused(text: str) -> None:
    with pytest.raises(CutOff):
        read(text)


def test_the_last_bracket_may_be_missing_where_nothing_can_be_lost() -> None:
    assert read('{"a": [1], "b": "x"', closed=True) == {"a": ["1"], "b": "x"}
    assert read('{"a": true\n```', closed=True) == {"a": True}
    for text in ('{"a": 12', '{"a": {"b": "x"', '{"a": x', '{"a": "x",', '["a"'):
        with pytest.raises(CutOff):
            read(text, closed=True)


@pytest.mark.parametrize(
    "text",
    [
        "[1,000, 2]",
        "[1,234, 5,678]",
        "[3, 1,000.5]",
        "[1,000]",
        "[[12,000.50]]",
        "[-1,012,300]",
        "[$1,000, $2]",
        '{"a": [12,345, 6]}',
        '{"a": 1, "a": 2}',
        '{"a": 1, "a": true}',
        '{"a": [1], "a": [true]}',
        "First [1], then [2]",
        '{"a": 1}\n{"a": 1.0}',
        "```json\n[1]\n```\nor\n```json\n[2]\n```",
    ],
)
def test_what_can_be_read_in_two_ways_is_refused(text: str) -> None:
    with pytest.raises(Ambiguous):
        loose_json(text, dict if "{" in text else list)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("[100,200,300]", ["100", "200", "300"]),
        ("[1,2, 3]", ["1", "2", "3"]),
        ("[100, 020]", ["100", "020"]),
        ("[7,00]", ["7", "00"]),
        ("[1000, 2]", ["1000", "2"]),
        ('["1,234, 5"]', ["1,234, 5"]),
        ('["[1,234, 5]"]', ["[1,234, 5]"]),
    ],
)
def test_commas_that_part_numbers(text: str, value: list[str]) -> None:
    assert read(text) == value


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ('So: {"a": 1} - done {really}.', dict, {"a": "1"}),
        ('For {name} it is {"a": 1,}', dict, {"a": "1"}),
        ('{{"a": 1}}', dict, {"a": "1"}),
        ("See [the list]: ['x'] [sic]", list, ["x"]),
        ('As {"a": 2} asks:\n```json\n{"b": 1}\n```', dict, {"b": "1"}),
        ('[[answer]]\n{"a": 1,}', dict, {"a": "1"}),
        ('[{"a": 1}]', dict, None),
        ('Here: [{"a": 1}]', dict, None),
        ('Here: {"a": [1]}', list, None),
        ('Here: {"a": [1], b}', list, None),
        ('{"a": 1} or {"a": 2,,}', dict, None),
        ("{} {", dict, None),
        ("no value", dict, None),
    ],
)
def test_words_around_a_value(text: str, kind: type, value: Any) -> None:
    try:
        found = loose_json(text, kind)
    except CutOff:
        found = None
    assert (found.value if found else None) == value


# --- nothing is changed --------------------------------------------------------------------------

PIECES = st.sampled_from(
    [
        *"{}[],:\"'",
        '", "',
        '": "',
        '{"a": ',
        "{'b': ",
        '"x"',
        "'y'",
        "\u201cz\u201d",
        "12",
        "1,000",
    ]
    + [
        "007",
        "1.10",
        "9:30",
        "...",
        "word",
        "two words",
        " ",
        "\n",
        "true",
        "None",
        "it's",
        "```\n",
    ]
)


def letters(text: str) -> str:
    return "".join(char for char in text if char.isalnum() or char in ".\u2026")


def written(value: Any) -> str:
    if isinstance(value, dict):
        return "".join(name + written(item) for name, item in value.items())
    if isinstance(value, list):
        return "".join(map(written, value))
    return value if isinstance(value, str) else json.dumps(value)


@settings(deadline=None, max_examples=100)
@given(
    parts=st.lists(PIECES, max_size=14).map("".join),
    frame=st.sampled_from(["{%s}", "[%s]", '{"k": %s}', '{"k": "%s"}', "['%s']", '["%s", 1,]']),
    closed=st.booleans(),
)
def test_every_letter_and_digit_is_in_the_value(parts: str, frame: str, closed: bool) -> None:
    text = frame % parts
    keys = re.findall(r"(\w+)\W?\s*:", text)
    assume(len(keys) == len(set(keys)))
    for kind in (list, dict):
        try:
            found = loose_json(text, kind, closed=closed)
        except ValueError:
            continue
        if found is None:
            continue
        again = letters(written(found.value))
        assert again in letters(text)
        if not found.before + found.after:
            # The same value may stand there more than once, with words between.
            whole = letters(text)
            twice = len(whole) >= 2 * len(again) and whole.startswith(again)
            assert again == whole or (twice and whole.endswith(again))


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6),
    lambda of: st.lists(of, max_size=3) | st.dictionaries(st.text(max_size=4), of, max_size=3),
    max_leaves=6,
)


def numbers_as_text(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: numbers_as_text(item) for name, item in value.items()}
    if isinstance(value, list):
        return [numbers_as_text(item) for item in value]
    return str(value) if type(value) is int else value


@settings(deadline=None, max_examples=100)
@given(value=st.lists(VALUES, max_size=4), comma=st.sampled_from(["", ",", " , "]))
def test_json_with_a_comma_too_many_is_read_as_json(value: list[Any], comma: str) -> None:
    text = json.dumps(value)[:-1] + (comma if value else "") + "]"
    assert read(text) == numbers_as_text(value)


def test_numbers_that_are_the_same_are_one_object() -> None:
    # Else a long list of them costs more than its length says, for the collector of garbage.
    first, second = STRICT.decode("[12.50, 12.50]")
    assert first is second
    assert (first, type(first)) == ("12.50", Unquoted)
    long = "1" * 100
    assert STRICT.decode(f"[{long}]") == [long]
