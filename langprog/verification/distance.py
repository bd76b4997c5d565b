"""How far two replies are apart."""

from __future__ import annotations

import json
from typing import Any


def reply_distance(first: str, second: str) -> float:
    """Return the distance of two replies, from 0 (equal) to 1: the mean over their fields.

    Longer texts are compared by their words, everything else is equal or not. A failed reply is
    unlike any other.

    Args:
        first: The reply, as JSON; see :func:`langprog.verification.runs.as_reply`.
        second: Another one.
    """
    if first == second:
        return 0.0
    left, right = (json.loads(text).get("outputs") for text in (first, second))
    if not left or not right:
        return 1.0
    names = {**left, **right}
    return sum(_value_distance(left.get(name), right.get(name)) for name in names) / len(names)


def _value_distance(first: Any, second: Any) -> float:
    if first == second:
        return 0.0
    if not isinstance(first, str) or not isinstance(second, str):
        return 1.0
    left, right = set(first.casefold().split()), set(second.casefold().split())
    if min(len(left), len(right)) < 2:
        return 1.0
    return 1.0 - len(left & right) / len(left | right)
