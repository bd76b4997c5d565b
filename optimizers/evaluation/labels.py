"""Labels of examples: fields of few values that a program is to answer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import Enum
from typing import Any

from langprog import Example, Module
from langprog.errors import LangprogError

MAX_LABELS = 20
# A field with more values than one for so many examples is a text or a number, not a class.
EXAMPLES_PER_LABEL = 4


def find_label_fields(program: Module, examples: Sequence[Example]) -> tuple[str, ...]:
    """Return the fields by whose values the examples fall into classes.

    Fields that the program or one of its predictors answers; where the examples have none of
    them, any field that is no input.

    Args:
        program: The program.
        examples: Its examples.
    """
    inputs = set(program.input_names())
    fields = dict.fromkeys(name for example in examples for name in example if name not in inputs)
    answered = _answered(program)
    named = [name for name in fields if name in answered] or list(fields)
    return tuple(name for name in named if _is_label(example.get(name) for example in examples))


def label_of(example: Example, fields: Sequence[str]) -> str:
    """Return the class of an example, by the values of ``fields``."""
    return "\x1f".join(str(_plain(example.get(name))) for name in fields)


def _answered(program: Module) -> set[str]:
    names = {name for each in program.predictors().values() for name in each.outputs}
    try:
        return names | set(program.outputs)
    except LangprogError:  # a user's module may leave open what its outputs are
        return names


def _is_label(values: Iterable[Any]) -> bool:
    texts: set[str] = set()
    count = 0
    for value in values:
        plain = _plain(value)
        if not isinstance(plain, (str, int, bool, type(None))):
            return False
        texts.add(str(plain))
        count += 1
    return 2 <= len(texts) <= min(MAX_LABELS, max(2, count // EXAMPLES_PER_LABEL))


def _plain(value: Any) -> Any:
    return value.value if isinstance(value, Enum) else value
