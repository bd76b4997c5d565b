"""Reads scores, labels and proxies, and refuses what is not a number."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, SupportsFloat

from langprog.errors import InputError


def read_numbers(values: Any, name: str) -> list[float | None]:
    """Return numbers, with ``None`` for those that are missing.

    Args:
        values: Numbers or bools; ``None`` where a value is missing.
        name: The argument, for errors.

    Raises:
        InputError: They are not a list, or one of them is not a finite number.
    """
    if isinstance(values, (str, bytes, Mapping)) or not isinstance(values, Iterable):
        raise InputError(
            f"{name} is a {type(values).__name__}: give a list with a number for each row, None "
            "where it is missing"
        )
    return [
        # Plain floats first: checking for anything that is a number takes ten times as long.
        value
        if type(value) is float and math.isfinite(value)
        else read_number(value, f"{name}[{index}]")
        for index, value in enumerate(values)
    ]


def read_number(value: Any, place: str) -> float | None:
    """Return a value as a float, or ``None``.

    Raises:
        InputError: It is not a finite number.
    """
    if value is None:
        return None
    if not isinstance(value, (int, float, SupportsFloat)):
        raise InputError(
            f"{place} is {value!r:.40}: give a number, True, False, or None where it is missing"
        )
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):  # such as an array of several numbers
        number = math.nan
    if not math.isfinite(number):
        raise InputError(
            f"{place} is {value!r:.40}, which is not a finite number: give None where a value is "
            "missing"
        )
    return number


def check_bounds(values: Iterable[float], bounds: tuple[float, float], name: str) -> None:
    """Check that values lie in the range that they are said to have.

    Raises:
        InputError: One does not.
    """
    low, high = bounds
    for value in values:
        if not low <= value <= high:
            raise InputError(
                f"{name} has {value:g}, and score_range is {low:g} to {high:g}: give the lowest "
                "and the highest value that there can be"
            )
