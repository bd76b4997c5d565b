"""Canonical JSON and the digest over it."""

from __future__ import annotations

import hashlib
import json
from typing import Any


def canonical(data: Any) -> str:
    """Return the one text that equal JSON data has: keys sorted, no blanks, no NaN.

    Raises:
        ValueError: A number is not finite.
    """
    return json.dumps(
        data, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )


def digest_of(data: Any) -> str:
    """Return ``sha256:...`` over the canonical JSON."""
    return "sha256:" + hashlib.sha256(canonical(data).encode()).hexdigest()


def readable(data: Any) -> str:
    """Return JSON as people and diffs read it: indented, with a newline at the end."""
    return json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
