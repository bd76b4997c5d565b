from __future__ import annotations

import inspect
import re
import textwrap
from typing import Any

import pytest

import langprog as lp
from langprog.errors import InputError


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("no function", "x"), "takes a function"),
        ((len, ""), "must be a text that tells the model"),
        ((len, 7), "must be a text that tells the model"),
        ((lambda *all: True, "x"), "by position"),
        ((lambda x, /: True, "x"), "by position"),
    ],
)
def test_wrong_arguments_are_refused(arguments: tuple[Any, ...], words: str) -> None:
    with pytest.raises(InputError, match=words):
        lp.Check(*arguments)


def test_a_wrong_level_is_refused() -> None:
    with pytest.raises(InputError, match="must be require or suggest, not 'warn'"):
        lp.Check(lambda x: True, "x", level="warn")  # type: ignore[arg-type]


def test_a_check_has_the_name_of_its_function() -> None:
    def is_short(text: str) -> bool:
        return True

    assert lp.Check(is_short, "x").name == "is_short"
    assert lp.Check(is_short, "x", name="brief").name == "brief"
    assert repr(lp.Check(is_short, "x")) == "Check(is_short, require)"


def test_the_example_in_its_docstring_runs() -> None:
    example = re.search(r"Example::\n\n((?:    .*\n|\n)+)", inspect.getdoc(lp.Check) or "")
    assert example is not None
    exec(textwrap.dedent(example[1]), {})
