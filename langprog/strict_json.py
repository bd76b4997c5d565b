"""Strict JSON parsing: rejects duplicate fields and non-finite numbers, which Python accepts."""

from __future__ import annotations

import json
import math
from typing import Any, NoReturn


def strict_json(text: str) -> Any:
    """Parse a JSON text.

    Raises:
        json.JSONDecodeError: It is not JSON.
        ValueError: A field appears twice, a number is not finite or too long, or the nesting is
            too deep.
    """
    try:
        return json.loads(
            text,
            object_pairs_hook=_refuse_duplicates,
            parse_constant=refuse_constant,
            parse_float=_parse_finite,
        )
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _refuse_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise ValueError(f"the field {name!r:.80} appears twice")
            seen.add(name)
    return fields


def _parse_finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise ValueError(f"{digits:.40} is larger than any number here")
    return number


def refuse_constant(word: str) -> NoReturn:
    """Reject ``NaN`` and ``Infinity``, which Python reads but JSON does not define."""
    raise ValueError(f"{word} is not a number in JSON")
