"""JSON that is relied on: read more strictly than Python does, which overlooks what is unclear."""

from __future__ import annotations

import json
import math
from typing import Any, NoReturn


def strict_json(text: str) -> Any:
    """Return what a JSON text says.

    Raises:
        json.JSONDecodeError: It is not JSON.
        ValueError: A field comes twice, a number is not finite or too long, or it is nested too
            deeply.
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
                raise ValueError(f"the field {name!r:.80} comes twice")
            seen.add(name)
    return fields


def _parse_finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise ValueError(f"{digits:.40} is larger than any number here")
    return number


def refuse_constant(word: str) -> NoReturn:
    """Refuse ``NaN`` and ``Infinity``, which Python reads and JSON does not have."""
    raise ValueError(f"{word} is not a number in JSON")
