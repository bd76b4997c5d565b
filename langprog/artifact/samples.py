"""Values that fit a field, made from its type: inputs for prompts that nobody ever sent."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from langprog.errors import InputError
from langprog.signature import (
    Bounded,
    Choice,
    FieldSpec,
    Listing,
    Mapped,
    Maybe,
    Plain,
    Record,
    Shape,
)

_PLAIN: Mapping[type, Any] = MappingProxyType(
    {str: 'some "text" with [[marks]] and {braces}', int: 7, float: 0.5, bool: True}
)
# Values longer than this are not made.
_LONGEST = 100_000


def sample_values(field: FieldSpec) -> tuple[Any, ...]:
    """Return values of a field, as plain data; none where its limits are too special."""
    values = []
    for value in _values(field.shape):
        try:
            field.validate(value)
        except InputError:
            continue
        values.append(value)
    return tuple(values)


def _values(shape: Shape) -> list[Any]:
    match shape:
        case Bounded():
            return [
                *_values(shape.of),
                *(_move_within(value, shape.limits) for value in _values(shape.of)),
            ]
        case Maybe():
            return [*_values(shape.of), None]
        case _:
            return [_value(shape)]


def _value(shape: Shape) -> Any:
    match shape:
        case Plain():
            return _PLAIN[shape.type]
        case Choice():
            first = next(iter(shape.choices.values()))
            return first if shape.enum is None else first.value
        case Maybe():
            return _value(shape.of)
        case Listing():
            return [_value(shape.of)]
        case Mapped():
            return {_value(shape.keys): _value(shape.of)}
        case Record():
            return {member.name: _value(member.shape) for member in shape.members}
        case Bounded():
            return _move_within(_value(shape.of), shape.limits)
        case _:
            return "anything"


def _move_within(value: Any, limits: Mapping[str, Any]) -> Any:
    """Return ``value`` moved to where the simple limits want it."""
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, (int, float)):
        try:
            return _move_number_within(value, limits)
        except ArithmeticError:  # limits beyond what floats can hold
            return value
    least, most = limits.get("min_length", 0), limits.get("max_length", math.inf)
    if least > _LONGEST:  # no prompt is so long, and no memory that large
        return value
    if isinstance(value, str):
        value = value.ljust(least, "x")
        return value if len(value) <= most else value[: int(most)].strip().ljust(least, "x")
    if isinstance(value, list):
        value = value * max(1, least)
        return value if len(value) <= most else []
    return value


def _move_number_within(value: float, limits: Mapping[str, Any]) -> float:
    step = limits.get("multiple_of", 1)
    low, high = limits.get("ge", limits.get("gt")), limits.get("le", limits.get("lt"))
    if low is not None and high is not None:
        middle = low + (high - low) / 2
        value = type(value)(middle)
    elif low is not None:
        value = type(value)(low + step)
    elif high is not None:
        value = type(value)(high - step)
    return type(value)(round(value / step) * step) if "multiple_of" in limits else value
