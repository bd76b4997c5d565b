"""Canonical JSON, digests, and the readable form.

The order of keys counts. The writer sorts keys if their order has no meaning; if it has one (a
dict in a demonstration appears in the prompt in its order), the digest covers it.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any


def canonical_json(data: Any) -> str:
    """Return canonical JSON: no whitespace, shortest numbers, no escaped letters.

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
        ValueError: As :func:`canonical_json`, or a text contains half of a character.
    """
    return "sha256:" + hashlib.sha256(canonical_json(data).encode()).hexdigest()


def indented_json(data: Any) -> str:
    """Return indented JSON for people and diffs, with a final newline."""
    return json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def sort_keys(data: Any) -> Any:
    """Return JSON data with all keys sorted."""
    if isinstance(data, dict):
        return {key: sort_keys(data[key]) for key in sorted(data)}
    return [sort_keys(item) for item in data] if isinstance(data, list) else data
