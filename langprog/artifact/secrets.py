"""Refusing to write what looks like a secret."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from langprog.errors import ArtifactError
from langprog.lm import looks_secret

# Under these names, any text counts as a secret.
_NAMES = frozenset({"api_key", "apikey", "authorization", "access_token", "secret_key"})


def refuse_secrets(data: Any) -> None:
    """Check that nothing in ``data`` looks like a secret.

    Raises:
        ArtifactError: Something does; the message names the place, never the value.
    """
    for place, text, name in _texts(data, "", ""):
        if looks_secret(text) or (name in _NAMES and text):
            raise ArtifactError(
                f"{place} looks like a key, a token or a password, which an artifact must not "
                "contain: remove it and save again"
            )


def _texts(data: Any, place: str, name: str) -> Iterator[tuple[str, str, str]]:
    """Yield every text with its place and its key."""
    if isinstance(data, str):
        yield place or "the artifact", data, name
    elif isinstance(data, dict):
        for key, value in data.items():
            yield f"a key of {place or 'the artifact'}", key, ""
            where = f"{place}.{key}" if place else key
            yield from _texts(value, where, key.casefold().replace("-", "_"))
    elif isinstance(data, list):
        for index, value in enumerate(data):
            yield from _texts(value, f"{place}[{index}]", name)
