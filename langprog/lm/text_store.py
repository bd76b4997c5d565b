"""A folder of texts by key, for any number of processes: diskcache, without its pickles.

Imported when a disk cache is first used, because diskcache and sqlite take their time to load.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import diskcache

# A text is kept in the database itself, never in a file beside it that a row would have to name.
LARGEST_TEXT = 2**30
# Seconds that a write waits for other processes; a completion that is not kept is no harm.
BUSY = 5.0


class TextDisk(diskcache.Disk):  # type: ignore[misc]  # diskcache ships no types
    """Stores text and reads nothing but text, so that no pickle is ever loaded."""

    def store(self, value: Any, read: bool, key: Any = None) -> Any:
        """Return the columns of a text."""
        return super().store(str(value), read, key=key)

    def fetch(self, mode: int, filename: str | None, value: Any, read: bool) -> Any:
        """Return the text of a row; a row that holds anything else counts as none."""
        return value if isinstance(value, str) and filename is None else None

    def get(self, key: Any, raw: bool) -> Any:
        """Return the text of a key."""
        return str(key) if raw else ""


class TextStore:
    """Texts by key.

    Args:
        folder: Made where it does not exist.
        size: Bytes kept at most; those stored first make room.

    Raises:
        OSError: The folder cannot be made or written, or what is there is no such store.
    """

    def __init__(self, folder: Path, size: int) -> None:
        # Evicting by age of storing, not of use, keeps reading free of writes and of locks.
        try:
            self._cache = diskcache.Cache(
                str(folder),
                timeout=BUSY,
                disk=TextDisk,
                disk_min_file_size=LARGEST_TEXT,
                size_limit=size,
                eviction_policy="least-recently-stored",
            )
        except sqlite3.Error as error:
            raise OSError(str(error)) from error

    def get(self, key: str) -> str | None:
        """Return the text of that key; ``None`` where there is none or it cannot be read."""
        try:
            text = self._cache.get(key)
        except (OSError, ValueError, sqlite3.Error, diskcache.Timeout):
            return None
        return text if isinstance(text, str) else None

    def put(self, key: str, text: str) -> None:
        """Keep a text; where the disk is full or stays busy, it is simply not kept."""
        try:
            self._cache.set(key, text)
        except (OSError, sqlite3.Error, diskcache.Timeout):
            return

    def close(self) -> None:
        """Close the files."""
        self._cache.close()
