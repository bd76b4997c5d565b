"""API keys: kept as digests, compared in constant time, never logged."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable
from pathlib import Path

from langprog.errors import InputError

SHORTEST = 16


class Keys:
    """The keys that a server accepts; without any, it accepts every request.

    Args:
        keys: The keys.

    Raises:
        InputError: A key is too short to be a secret, or is not one word of plain text.
    """

    def __init__(self, keys: Iterable[str] = ()) -> None:
        self._digests = tuple(dict.fromkeys(map(_digest, map(_check, keys))))

    def __bool__(self) -> bool:
        return bool(self._digests)

    def accept(self, key: str | None) -> bool:
        """Return whether a request with this key is accepted."""
        if not self._digests:
            return True
        if key is None:
            return False
        given = _digest(key)
        # All are compared, so that the time does not tell which one was close.
        matches = [hmac.compare_digest(given, known) for known in self._digests]
        return any(matches)

    @classmethod
    def read(cls, file: str | None, variable: str | None, option: str) -> Keys:
        """Return the keys in a file, one a line, and in an environment variable's value.

        Args:
            file: The file's name; blank lines and lines that start with # are skipped.
            variable: The value: keys separated by commas or blanks.
            option: The option that names the file, for messages.

        Raises:
            InputError: The file cannot be read or has no key, or a key is too short.
        """
        keys = (variable or "").replace(",", " ").split()
        if file is not None:
            try:
                lines = Path(file).read_text(encoding="utf-8").splitlines()
            except (OSError, UnicodeDecodeError):
                raise InputError(f"{option}: {file} cannot be read as text") from None
            in_file = [line.strip() for line in lines if line.strip()]
            in_file = [line for line in in_file if not line.startswith("#")]
            if not in_file:
                raise InputError(f"{option}: {file} has no key; write one a line")
            keys += in_file
        return cls(keys)


def _check(key: str) -> str:
    if len(key) < SHORTEST:
        raise InputError(
            f"an API key has {len(key)} characters: use {SHORTEST} or more, such as those that "
            "python -c 'import secrets; print(secrets.token_urlsafe(32))' prints"
        )
    if not key.isascii() or not key.isprintable() or " " in key:
        raise InputError("an API key must be one word of plain letters, digits and signs")
    return key


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "replace")).digest()
