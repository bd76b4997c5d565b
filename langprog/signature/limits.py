"""Limits and rules of a type: reads them from its annotations and checks that they apply."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from pydantic import TypeAdapter, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import SchemaError, SchemaValidator, core_schema

from langprog.errors import SignatureError
from langprog.signature.shapes import (
    Bounded,
    Choice,
    Formatted,
    Listing,
    Mapped,
    Maybe,
    Plain,
    Shape,
    without_limits,
)

NUMERIC = ("ge", "gt", "le", "lt", "multiple_of")
DIGITS = ("max_digits", "decimal_places")
LENGTHS = ("min_length", "max_length")
# Constraints that change a text before validation; prompts do not mention them.
CLEANING = ("strip_whitespace", "to_lower", "to_upper")
LIMITS = (*NUMERIC, *DIGITS, *LENGTHS, "pattern", *CLEANING)
_DECIMAL = Formatted(Decimal)


@dataclass(frozen=True)
class Labels:
    """Meanings of the labels of a Literal or an Enum; see :func:`langprog.describe`.

    Args:
        words: Each label, a value or a member of an Enum, with its description.
    """

    words: tuple[tuple[Any, str], ...]


def add_limits(
    shape: Shape, limits: Mapping[str, Any], rules: tuple[str, ...], name: str
) -> Shape:
    """Return ``shape`` within ``limits``.

    Raises:
        SignatureError: A limit does not apply to the type, or has the wrong type itself.
    """
    if not limits and not rules:
        return shape
    inside = without_limits(shape)
    target = without_limits(inside.of) if isinstance(inside, Maybe) else inside
    limits = {key: _check_limit(key, value, target, name) for key, value in limits.items()}
    if isinstance(shape, Bounded):
        return Bounded(shape.of, {**shape.limits, **limits}, (*shape.rules, *rules))
    return Bounded(shape, dict(limits), rules)


def _check_limit(key: str, value: Any, target: Shape, name: str) -> Any:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if key in NUMERIC and isinstance(target, Formatted):
        fits, right = key != "multiple_of" or target == _DECIMAL, True
        value = _convert_limit(target, value, key, name) if fits and not number else value
        right = target == _DECIMAL or not number
    elif key in NUMERIC:
        fits, right = target in (Plain(int), Plain(float)), number
    elif key in DIGITS:
        fits, right = target == _DECIMAL, isinstance(value, int) and number and value >= 0
    elif key in LENGTHS:
        fits = isinstance(target, (Listing, Mapped)) or target == Plain(str)
        right = isinstance(value, int) and number and value >= 0
    else:
        fits, right = target == Plain(str), isinstance(value, str if key == "pattern" else bool)
    if not fits:
        raise SignatureError(f"field {name!r}: the constraint {key!r} does not apply to its type")
    if not right:
        raise SignatureError(f"field {name!r}: the constraint {key!r} cannot be {value!r}")
    if key == "pattern":
        _check_pattern(value, name)
    return value


def _convert_limit(target: Formatted, value: Any, key: str, name: str) -> Any:
    try:
        return TypeAdapter(target.type).validate_python(value)
    except ValidationError:
        raise SignatureError(
            f"field {name!r}: the constraint {key!r} cannot be {value!r}: its type is "
            f"{target.type.__name__}"
        ) from None


def _check_pattern(pattern: str, name: str) -> None:
    # pydantic's regex engine, without look-around: matching takes time linear in the text.
    try:
        SchemaValidator(core_schema.str_schema(pattern=pattern))
    except SchemaError as error:
        told = str(error).splitlines()[-1].strip()
        raise SignatureError(
            f"field {name!r}: the constraint 'pattern' cannot be {pattern!r}: {told}"
        ) from None


def marks_in(metadata: Iterable[Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return the limits and the rules in the metadata of an ``Annotated``."""
    # The metadata of annotated_types and pydantic have a limit as an attribute of its name, and a
    # validator as ``func``.
    limits: dict[str, Any] = {}
    rules: list[str] = []
    for item in metadata:
        if isinstance(item, FieldInfo):
            inner, words = marks_in(item.metadata)
            limits.update(inner)
            rules.extend(words)
            continue
        for key in LIMITS:
            value = getattr(item, key, None)
            if value is not None and value is not False and not callable(value):
                limits[key] = value.pattern if isinstance(value, re.Pattern) else value
        func = getattr(item, "func", None)
        if callable(func):
            rules.extend(words_of(func))
    return limits, tuple(rules)


def words_of(func: Callable[..., Any]) -> list[str]:
    """Return the first paragraph of a validator's docstring, if it has one."""
    told = (getattr(func, "__doc__", None) or "").strip()
    return [" ".join(told.split("\n\n")[0].split()).rstrip(".")] if told else []


def description_in(metadata: Iterable[Any]) -> str:
    """Return the description in the metadata of an ``Annotated``, if there is one."""
    told = [item.description for item in metadata if isinstance(item, FieldInfo)]
    return next((words for words in reversed(told) if words), "")


def add_labels(shape: Shape, labels: Labels, name: str) -> Shape:
    """Return a choice, or an Optional or a list of one, with descriptions for its labels.

    Raises:
        SignatureError: The type is not a choice, or has no such label.
    """
    match shape:
        case Choice():
            return Choice(shape.choices, shape.enum, _match_labels(shape, labels, name))
        case Maybe():
            return Maybe(add_labels(shape.of, labels, name))
        case Listing():
            return Listing(add_labels(shape.of, labels, name), shape.type)
        case Bounded():
            return Bounded(add_labels(shape.of, labels, name), shape.limits, shape.rules)
    raise SignatureError(
        f"field {name!r}: lp.describe applies to the labels of a Literal or an Enum"
    )


def _match_labels(choice: Choice, labels: Labels, name: str) -> dict[str, str]:
    told = {}
    for key, words in labels.words:
        label = _label_of(choice, key)
        if label is None:
            raise SignatureError(
                f"field {name!r}: lp.describe has {key!r}, which is not a label of it; they are "
                f"{', '.join(choice.choices)}"
            )
        told[label] = words
    return {label: told[label] for label in choice.choices if label in told}


def _label_of(choice: Choice, key: Any) -> str | None:
    for label, value in choice.choices.items():
        plain = value.value if choice.enum else value
        if key is value or (type(key) is type(plain) and key == plain):
            return label
    if not isinstance(key, str):
        return None
    names = {member.name: label for label, member in choice.choices.items() if choice.enum}
    return key if key in choice.choices else names.get(key)
