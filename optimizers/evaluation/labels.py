"""Labels of examples: output fields with few distinct values."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import Enum
from typing import Any

from langprog import Example, Module
from langprog.errors import LangprogError
from langprog.example import TRAIN_ONLY

MAX_LABELS = 20
# A field with fewer examples per value than this holds texts or numbers, not classes.
EXAMPLES_PER_LABEL = 4


def find_label_fields(program: Module, examples: Sequence[Example]) -> tuple[str, ...]:
    """Return the fields whose values divide the examples into classes.

    These are output fields of the program or its predictors; if the examples have none of them,
    any field that is not an input.

    Args:
        program: The program.
        examples: Its examples.
    """
    inputs = {*program.input_names(), TRAIN_ONLY}
    fields = dict.fromkeys(name for example in examples for name in example if name not in inputs)
    answered = _find_answered_fields(program)
    named = [name for name in fields if name in answered] or list(fields)
    return tuple(name for name in named if _is_label(example.get(name) for example in examples))


def label_of(example: Example, fields: Sequence[str]) -> str:
    """Return the class of an example, by the values of ``fields``."""
    return "\x1f".join(str(_unwrap_enum(example.get(name))) for name in fields)


def _find_answered_fields(program: Module) -> set[str]:
    names = {name for each in program.predictors().values() for name in each.outputs}
    try:
        return names | set(program.outputs)
    except LangprogError:  # a user's module may not declare its outputs
        return names


def _is_label(values: Iterable[Any]) -> bool:
    texts: set[str] = set()
    count = 0
    for value in values:
        plain = _unwrap_enum(value)
        if not isinstance(plain, (str, int, bool, type(None))):
            return False
        texts.add(str(plain))
        count += 1
    return 2 <= len(texts) <= min(MAX_LABELS, max(2, count // EXAMPLES_PER_LABEL))


def _unwrap_enum(value: Any) -> Any:
    return value.value if isinstance(value, Enum) else value
