from __future__ import annotations

import dataclasses
import random
import re
import time
from collections.abc import Callable
from decimal import Decimal
from enum import Enum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import langprog as lp
from langprog.checks import Check
from langprog.checks.patterns import LONGEST_TEXT
from langprog.errors import InputError

checks = lp.checks


class Team(Enum):
    BILLING = "billing"
    NETWORK = "network"


@dataclasses.dataclass
class Person:
    name: str
    age: int


def problem(check: Check, value: Any) -> str | None:
    assert check.rule is not None
    return check.rule.find_problem(value)


@pytest.mark.parametrize(
    ("check", "good", "bad"),
    [
        (checks.regex("x", "[A-Z]{3}-[0-9]+"), "ABC-12", "ABC-12 "),
        (checks.regex("x", "[A-Z]{3}-[0-9]+"), "ABC-12", "ABC-12\n"),
        (checks.regex("x", "a|b"), "b", "ab"),
        (checks.regex("x", "b", whole=False), "abc", "xyz"),
        (checks.regex("x", "[0-9]+"), ["1", "22"], ["1", "x"]),
        (checks.regex("x", "[0-9]+"), 12, -12),
        (checks.in_range("x", 0, 10), 10, 11),
        (checks.in_range("x", low=0), 1e300, -0.5),
        (checks.in_range("x", high=0), Decimal("-1.5"), Decimal("1.5")),
        (checks.in_range("x", 0, 1), [0.0, 1.0], [0.0, 1.1]),
        (checks.in_range("x", 0, 1), 0.5, float("nan")),
        (checks.in_range("x", 0, 1), 1, True),
        (checks.length("x", most=3), "abc", "abcd"),
        (checks.length("x", least=2, unit="words"), "two words", "word"),
        (checks.length("x", 1, 2, unit="items"), ["a"], []),
        (checks.one_of("x", ["billing", "network"]), Team.BILLING, "sales"),
        (checks.one_of("x", [1, 2]), 1, True),
        (checks.one_of("x", ["a", "b"]), {"a"}, ["a", "c"]),
        (checks.no_pii("x"), "call us", "write to jo@example.com"),
        (checks.no_pii("x"), Person("Jo", 3), Person("+44 20 7946 0958", 3)),
        (checks.no_pii("x"), {"a": ["b"]}, {"a": ["jo@example.com"]}),
    ],
)
def test_what_passes_and_what_fails(check: Check, good: Any, bad: Any) -> None:
    assert problem(check, good) is None
    assert problem(check, bad)
    assert problem(check, None) is None


@pytest.mark.parametrize(
    ("schema", "good", "bad"),
    [
        ({"required": ["a"]}, '{"a": 1}', "{}"),
        ({"type": "object"}, "{}", "{"),
        ({"properties": {"age": {"minimum": 0}}}, Person("Jo", 3), Person("Jo", -3)),
    ],
)
def test_a_schema_is_for_values_and_for_the_json_in_texts(
    schema: dict[str, Any], good: Any, bad: Any
) -> None:
    pytest.importorskip("jsonschema_rs")
    check = checks.json_schema("x", schema)
    assert problem(check, good) is None
    assert problem(check, bad)
    assert problem(check, None) is None


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: checks.regex("x", "(?=a)b"), "look-ahead"),
        (lambda: checks.regex("x", r"(a)\1"), "backreferences"),
        (lambda: checks.regex("x", "("), "cannot be used"),
        (lambda: checks.regex("x", "a)|(?:b"), "cannot be used"),
        (lambda: checks.regex("x", "a" * 1001), "more than 1,000"),
        (lambda: checks.regex("x", "((a{999}){999}){999}"), "size limit"),
        (lambda: checks.regex("x", "[ab]*a[ab]{1000}"), "written out"),
        (lambda: checks.regex("x", "(?:(?:ab{3}){20}c){13}"), "written out"),
        (lambda: checks.regex("x", "a{40}{40}"), "written out"),
        (lambda: checks.regex("x", "(?:|||){300}"), "written out"),
        (lambda: checks.regex("x", "(?:" + "a" * 300 + "[^](]){4}"), "written out"),
        (lambda: checks.regex("x", "(?x)a {2}"), "the flag x"),
        (lambda: checks.regex("x", "(?i-sx:a)"), "the flag x"),
        (lambda: checks.regex("x", "(a[[b](]){1000}"), "a set inside a set"),
        (lambda: checks.regex("x", 7), "is a text"),
        (lambda: checks.regex("x", "a", whole=1), "whole of lp.checks.regex"),
        (lambda: checks.regex("", "a"), "a field's name"),
        (lambda: checks.regex("x", "a", ""), "must be a text that tells the model"),
        (lambda: checks.in_range("x"), "needs low= or high="),
        (lambda: checks.in_range("x", 2, 1), "above high"),
        (lambda: checks.in_range("x", float("nan")), "must be a number"),
        (lambda: checks.in_range("x", True), "must be a number"),
        (lambda: checks.length("x"), "needs least= or most="),
        (lambda: checks.length("x", -1), "least"),
        (lambda: checks.length("x", 3, 2), "above most"),
        (lambda: checks.length("x", most=2, unit="tokens"), "unit"),
        (lambda: checks.one_of("x", []), "takes 1 to 10,000 values"),
        (lambda: checks.one_of("x", "abc"), "must be a list"),
        (lambda: checks.one_of("x", {"a", "b"}), "must be a list"),  # type: ignore[arg-type]  # a set
        (lambda: checks.one_of("x", [None]), "takes texts, numbers and bools"),
        (lambda: checks.json_schema("x", "a"), "is a dict"),
        (lambda: checks.no_pii("x", level="maybe"), "must be require or suggest"),
    ],
)
def test_wrong_arguments_are_refused(make: Callable[[], Check], words: str) -> None:
    with pytest.raises(InputError, match=words):
        make()


def test_the_users_message_replaces_the_default_one() -> None:
    lm = lp.ScriptedLM(["[[n]]\n7", "[[n]]\n1"])
    with lp.using(lm=lm):
        lp.Predict("x -> n: int", checks=[checks.in_range("n", 0, 5, "count again")])(x="x")
    assert "count again." in lm.requests[1].messages[-1].content


# Python's own engine needs years for the first three, and cannot be interrupted.
@pytest.mark.parametrize(
    "pattern",
    [
        "(a+)+$",
        "(a|a)*b",
        "(.*)*(.*)*(.*)*=",
        "(?:a?){90}a{90}[bc]",
        "(?:(?:a{0,8}){0,8}){0,8}b",
        "[ab]*a[ab]{980}x",
        "(?:.{0,20}){0,20}x" + "y?" * 250,
    ],
)
@pytest.mark.parametrize(
    "text",
    [
        "a" * (LONGEST_TEXT - 1) + "!",
        "".join(random.Random(1).choices("ab", k=LONGEST_TEXT)),
    ],
    ids=["same", "mixed"],
)
def test_no_pattern_takes_for_ever(pattern: str, text: str) -> None:
    started = time.process_time()
    problem(checks.regex("x", pattern), text)
    assert time.process_time() - started < 20  # far from for ever, on any machine


def test_a_text_that_is_too_long_fails_without_a_search() -> None:
    for check in (checks.regex("x", "a*"), checks.no_pii("x")):
        assert problem(check, "a" * LONGEST_TEXT) is None
        assert problem(check, "a" * (LONGEST_TEXT + 1)) == "x must have at most 50,000 characters"


@given(st.text(max_size=50), st.integers(0, 60))
def test_length_counts_as_python_does(text: str, most: int) -> None:
    assert (problem(checks.length("x", most=most), text) is None) == (len(text) <= most)


@given(st.text(alphabet="ab1 \n", max_size=8))
def test_a_whole_pattern_matches_as_pythons_fullmatch(text: str) -> None:
    matches = re.fullmatch("[ab]+|1*", text) is not None
    assert (problem(checks.regex("x", "[ab]+|1*"), text) is None) == matches
