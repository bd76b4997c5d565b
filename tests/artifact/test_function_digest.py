"""A check that was made with other values is another check, however it was made."""

from __future__ import annotations

import enum
import functools
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pytest

import langprog as lp
from langprog.artifact.function_digest import earlier_digests, function_digest
from langprog.errors import ArtifactError

FIRST, SECOND = (lambda reply: len(reply) < 3), (lambda reply: len(reply) < 5)  # one line


class Tone(enum.Enum):
    KIND = "kind"
    HARSH = "harsh"


@dataclass
class Limits:
    most: int
    words: list[str]


class Checker:
    def __init__(self, banned: list[str]) -> None:
        self.banned = banned
        self.connection = object()

    def check(self, reply: str) -> bool:
        return not any(word in reply for word in self.banned)

    def __call__(self, reply: str) -> bool:
        return self.check(reply)

    @classmethod
    def is_short(cls, reply: str) -> bool:
        return len(reply) < 9


CHECKER = Checker(["x"])


def around(value: Any) -> Callable[[str], bool]:
    """A function that captures a value."""
    return lambda reply: reply != str(value)


def with_default(value: Any) -> Callable[..., bool]:
    def check(reply: str, *, other: Any = value) -> bool:
        return reply != str(other)

    return check


def has(reply: str, words: Any, most: int = 3) -> bool:
    return reply in words and len(reply) < most


def asking(instruction: str, answer: str = "x") -> lp.Predict:
    return lp.Predict("q -> a", instruction=instruction, demos=[{"q": "q", "a": answer}])


PAIRS: dict[str, tuple[Any, Any]] = {
    "texts": (["a"], ["b"]),
    "nested": ({"a": [(1, {2.5})]}, {"a": [(1, {3.5})]}),
    "pattern": (re.compile("a"), re.compile("a", re.IGNORECASE)),
    "enum": (Tone.KIND, Tone.HARSH),
    "date": (date(2024, 1, 1), date(2024, 1, 2)),
    "dataclass": (Limits(3, ["a"]), Limits(3, ["b"])),
    "object": (Checker(["a"]), Checker(["b"])),
    "function": (around(1), around(2)),
    "class": (Tone, Limits),
    "program": (asking("Do."), asking("Do it.")),
    "program's demonstrations": (asking("Do."), asking("Do.", "y")),
}


@pytest.mark.parametrize("kind", PAIRS)
@pytest.mark.parametrize(
    "make", [around, with_default, lambda value: functools.partial(has, words=value)]
)
def test_values_of_every_kind_tell_functions_apart(make: Callable[[Any], Any], kind: str) -> None:
    first, second = PAIRS[kind]
    assert function_digest(make(first)) == function_digest(make(first))
    assert function_digest(make(first)) != function_digest(make(second))


def test_equal_values_are_the_same_whatever_their_order() -> None:
    assert function_digest(around({"a": 1, "b": {1, 2, 3}})) == function_digest(
        around({"b": {3, 2, 1}, "a": 1})
    )
    assert function_digest(Checker(["a"]).check) == function_digest(Checker(["a"]).check)
    loop: list[Any] = []
    loop.append(loop)
    assert function_digest(around(loop)) == function_digest(around(loop))


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (Checker(["a"]).check, Checker(["b"]).check),
        (Checker(["a"]), Checker(["b"])),
        (functools.partial(has, words="a"), functools.partial(has, words="b")),
        (functools.partial(has, words="a"), functools.partial(has, words="a", most=4)),
        (FIRST, SECOND),
    ],
)
def test_what_stands_around_a_function_counts(first: Any, second: Any) -> None:
    assert function_digest(first) != function_digest(second)


@pytest.mark.parametrize("function", [FIRST, has, around(3), with_default("x"), Checker.is_short])
def test_earlier_digests_are_known(function: Any) -> None:
    assert len(earlier_digests(function)) == 1
    shares_its_line = function is FIRST
    assert (function_digest(function) in earlier_digests(function)) is not shares_its_line


@pytest.mark.parametrize(
    ("function", "other"),
    [
        (around(["a"]), around(["b"])),
        (CHECKER.check, Checker(["y"]).check),
        (CHECKER, Checker(["y"])),
        (functools.partial(has, words=["a"]), functools.partial(has, words=["b"])),
        (FIRST, SECOND),
    ],
    ids=["closure", "method", "object", "partial", "lambda"],
)
def test_such_a_check_is_handed_over_and_another_one_refused(
    function: Any, other: Any, tmp_path: Path
) -> None:
    program = lp.Predict("q -> reply", checks=[lp.Check(function, "no", name="mine")])
    lp.save(program, tmp_path / "p.json")
    loaded = lp.load(tmp_path / "p.json", checks={"mine": function})
    assert loaded.checks[0].function is function
    with pytest.raises(ArtifactError, match="or a value that it was made with, has changed"):
        lp.load(tmp_path / "p.json", checks={"mine": other})
    # It has no name of its own to be imported by.
    with pytest.raises(ArtifactError, match=r"pass the function, lp.load.*'mine': ...}\)$"):
        lp.load(tmp_path / "p.json", allow_modules=[__name__])


def test_a_method_of_a_class_is_imported(tmp_path: Path) -> None:
    program = lp.Predict("q -> reply", checks=[lp.Check(Checker.is_short, "be brief")])
    lp.save(program, tmp_path / "p.json")
    loaded = lp.load(tmp_path / "p.json", allow_modules=[__name__])
    assert loaded.checks[0].function == Checker.is_short


def test_a_function_without_source_is_named(tmp_path: Path) -> None:
    names: dict[str, Any] = {}
    exec("def no_source(reply): return True", names)
    program = lp.Predict("q -> reply", checks=[lp.Check(names["no_source"], "x", name="mine")])
    with pytest.raises(ArtifactError, match="check 'mine': the source of no_source cannot be"):
        lp.save(program, tmp_path / "p.json")
