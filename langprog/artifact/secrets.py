"""Refuse to write what looks like a secret."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from langprog.errors import ArtifactError

PATTERNS = (
    re.compile(r"\b(?:sk|pk|rk)-[A-Za-z0-9_-]{20,}"),
    re.compile(r"\bAKIA[0-9A-Z]{16}\b"),
    re.compile(r"\bgh[pousr]_[A-Za-z0-9]{30,}"),
    re.compile(r"\bxox[abprs]-[A-Za-z0-9-]{10,}"),
    re.compile(r"\bAIza[0-9A-Za-z_-]{30,}"),
    re.compile(r"\bBearer\s+[A-Za-z0-9._~+/-]{16,}"),
    re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----"),
    re.compile(r"\b[a-z][a-z0-9+.-]*://[^\s/@:]+:[^\s/@]+@"),
    re.compile(r"(?i)\bapi[_-]?key\s*[=:]\s*['\"]?[A-Za-z0-9_-]{16,}"),
)


def looks_secret(text: str) -> bool:
    """Return whether ``text`` holds something of the form of a key, a token or a password."""
    return any(pattern.search(text) for pattern in PATTERNS)


def refuse_secrets(data: Any) -> None:
    """Check that nothing in ``data`` looks like a secret.

    Raises:
        ArtifactError: Something does; names the place, never the value.
    """
    for place, text in _texts(data, ""):
        if looks_secret(text):
            raise ArtifactError(
                f"{place} looks like it holds a key, a token or a password, which an artifact "
                "must not carry: take it out and save again"
            )


def _texts(data: Any, place: str) -> Iterator[tuple[str, str]]:
    if isinstance(data, str):
        yield place or "the artifact", data
    elif isinstance(data, dict):
        for key, value in data.items():
            yield from _texts(value, f"{place}.{key}" if place else str(key))
    elif isinstance(data, (list, tuple)):
        for index, value in enumerate(data):
            yield from _texts(value, f"{place}[{index}]")
