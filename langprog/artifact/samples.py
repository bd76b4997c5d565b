"""Sample values for a field, made from its type, for comparing prompts."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from langprog.errors import InputError
from langprog.signature import (
    REQUIRED,
    Again,
    Attachment,
    Bounded,
    Choice,
    Conversation,
    FieldSpec,
    Fixed,
    Formatted,
    Listing,
    Mapped,
    Maybe,
    Named,
    OneOf,
    Plain,
    Record,
    Shape,
    tags_of,
)

_PLAIN: Mapping[type, Any] = MappingProxyType(
    {str: 'some "text" with [[marks]] and {braces}', int: 7, float: 0.5, bool: True}
)
_FORMATTED: Mapping[str, str] = MappingProxyType(
    {
        "date": "2024-01-31",
        "datetime": "2024-01-31T13:45:00",
        "time": "13:45:00",
        "timedelta": "P1DT2H30M",
        "Decimal": "12.30",
        "UUID": "12345678-1234-5678-1234-567812345678",
    }
)
# Longer values are not made.
_LONGEST = 100_000


def sample_values(field: FieldSpec) -> tuple[Any, ...]:
    """Return sample values of a field, as plain data; none if its limits are too unusual."""
    values = []
    for value in _values(field.shape):
        try:
            field.validate(value)
        except InputError:
            continue
        values.append(value)
    return tuple(values)


class _Endless(Exception):
    """A recursive type refers to itself here."""


def _values(shape: Shape) -> list[Any]:
    match shape:
        case Bounded():
            return [
                *_values(shape.of),
                *(_move_within(value, shape.limits) for value in _values(shape.of)),
            ]
        case Maybe():
            return [*_values(shape.of), None]
        case OneOf():
            tags = tags_of(shape)
            return [
                value
                for at, part in enumerate(shape.of)
                for value in _tagged(part, tags.tag, tags.labels.get(at))
            ]
        case _:
            return _tagged(shape, "", None)


def _tagged(shape: Shape, tag: str, label: str | None) -> list[Any]:
    try:
        value = _value(shape)
    except _Endless:
        return []
    return [value if label is None else {tag: label, **value}]


def _value(shape: Shape) -> Any:
    match shape:
        case Plain():
            return _PLAIN[shape.type]
        case Formatted():
            return _FORMATTED[shape.type.__name__]
        case Choice():
            return next(getattr(each, "value", each) for each in shape.choices.values())
        case Maybe(of=of):
            return _or_else(of, None)
        case Listing(of=of):
            return _or_else(Fixed((of,)), [])
        case Fixed(of=parts):
            return [_value(part) for part in parts]
        case Mapped():
            return _or_else(Fixed((shape.keys, shape.of)), None, pair=True)
        case Record():
            return _record(shape)
        case Bounded():
            return _move_within(_value(shape.of), shape.limits)
        case _:
            return _other(shape)


def _other(shape: Shape) -> Any:
    match shape:
        case OneOf():
            values = _values(shape)
            if not values:
                raise _Endless
            return values[0]
        case Named():
            return _value(shape.of)
        case Again():
            raise _Endless
        case Attachment():
            return "https://example.org/1"
        case Conversation():
            return [{"role": "user", "content": "hello"}]
    return "anything"


def _or_else(shape: Shape, otherwise: Any, *, pair: bool = False) -> Any:
    try:
        value = _value(shape)
    except _Endless:
        return {} if pair else otherwise
    return {value[0]: value[1]} if pair else value


def _record(shape: Record) -> dict[str, Any]:
    values = {}
    for member in shape.members:
        try:
            values[member.name] = _value(member.shape)
        except _Endless:
            if member.default is REQUIRED:
                raise
    return values


def _move_within(value: Any, limits: Mapping[str, Any]) -> Any:
    """Return ``value`` adjusted to simple limits."""
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, (int, float)):
        try:
            return _move_number_within(value, limits)
        except ArithmeticError:  # limits beyond what floats can hold
            return value
    least, most = limits.get("min_length", 0), limits.get("max_length", math.inf)
    if least > _LONGEST:  # longer than any prompt
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
