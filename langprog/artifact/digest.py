"""JSON that has one text: what is written, what is signed, and how it is read back.

The order of keys counts. Where it has no meaning the writer sorts them; where it has (a dict in a
demonstration stands in the prompt in its order) the digest covers it.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any


def canonical_json(data: Any) -> str:
    """Return the one text of JSON data: no blanks, shortest numbers, letters as they are.

    Raises:
        ValueError: A number is not finite, or the nesting is too deep.
    """
    try:
        return json.dumps(data, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def digest_of(data: Any) -> str:
    """Return ``sha256:...`` over the canonical text.

    Raises:
        ValueError: As :func:`canonical_json`, or a text holds half of a character.
    """
    return "sha256:" + hashlib.sha256(canonical_json(data).encode()).hexdigest()


def indented_json(data: Any) -> str:
    """Return JSON as people and diffs read it: indented, with a newline at the end."""
    return json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def sort_keys(data: Any) -> Any:
    """Return JSON data with all keys sorted, for parts where their order has no meaning."""
    if isinstance(data, dict):
        return {key: sort_keys(data[key]) for key in sorted(data)}
    return [sort_keys(item) for item in data] if isinstance(data, list) else data
