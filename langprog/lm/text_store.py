"""Texts by key in a folder shared by any number of processes: diskcache, without its pickles.

Imported when a disk cache is first used, because diskcache and sqlite are slow to import.
"""

from __future__ import annotations

import contextlib
import sqlite3
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import diskcache

# Texts are stored in the database itself, never in separate files that a row would have to name.
LARGEST_TEXT = 2**30
# Seconds that a write waits for other processes; losing a cached completion does no harm.
BUSY = 5.0
FILES = ("cache.db", "cache.db-wal", "cache.db-shm", "cache.db-journal")


class TextDisk(diskcache.Disk):  # type: ignore[misc]  # diskcache ships no types
    """Stores and reads only text, so that no pickle is ever loaded."""

    def store(self, value: Any, read: bool, key: Any = None) -> Any:
        """Return the columns for a text."""
        return super().store(str(value), read, key=key)

    def fetch(self, mode: int, filename: str | None, value: Any, read: bool) -> Any:
        """Return the text of a row; anything else counts as missing."""
        return value if isinstance(value, str) and filename is None else None

    def get(self, key: Any, raw: bool) -> Any:
        """Return the text of a key."""
        return str(key) if raw else ""

    def remove(self, file_path: str) -> None:
        """Do nothing: neither the file nor the row that names it was written here."""


class TextStore:
    """Texts by key.

    Args:
        folder: Created if it does not exist.
        size: Maximum size in bytes; the oldest texts are evicted first.

    Raises:
        OSError: The folder cannot be created or written, or holds something else.
    """

    def __init__(self, folder: Path, size: int) -> None:
        # Evicting by time of storage, not of use, keeps reads free of writes and locks.
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
        """Return the text for ``key``; ``None`` if it is missing or cannot be read."""
        try:
            text = self._cache.get(key)
        except (OSError, ValueError, sqlite3.Error, diskcache.Timeout):
            return None
        return text if isinstance(text, str) else None

    def put_all(self, texts: Mapping[str, str]) -> None:
        """Store texts by key; if the disk is full or stays busy, they are dropped."""
        try:
            with self._cache.transact():
                for key, text in texts.items():
                    self._cache.set(key, text)
        except (OSError, sqlite3.Error, diskcache.Timeout):
            return

    def clear(self) -> int:
        """Remove every text, also for other processes, and return how many there were.

        Raises:
            OSError: The folder cannot be written, or other processes keep it busy.
        """
        try:
            return int(self._cache.clear())
        except sqlite3.Error as error:
            raise OSError(str(error)) from error
        except diskcache.Timeout as error:
            raise OSError("another process keeps writing to it: try again") from error

    def close(self) -> None:
        """Close the files."""
        self._cache.close()


def size_of(folder: Path) -> int | None:
    """Return the size in bytes of the texts in a folder; ``None`` if there is no store.

    Writes nothing, and accepts only stores written by this module.

    Raises:
        OSError: The folder holds something other than a store, or other files as well.
    """
    if folder.is_symlink():
        raise OSError(f"it is a link to {folder.readlink()}; name the folder itself")
    if not folder.exists():
        return None
    files = {path.name: path for path in sorted(folder.iterdir())}
    for name, path in files.items():
        if name not in FILES:
            raise OSError(f"it holds {name!r}, which is not a cache file")
        if not stat.S_ISREG(path.lstat().st_mode):
            raise OSError(f"{name} in it is not a regular file")
    if FILES[0] not in files:
        return None
    # Without writers, reading needs no lock and must leave no files behind.
    quiet = FILES[1] not in files
    uri = f"{files[FILES[0]].absolute().as_uri()}?mode=ro&immutable={int(quiet)}"
    try:
        with contextlib.closing(sqlite3.connect(uri, uri=True, timeout=BUSY)) as database:
            return _size_in(database)
    except sqlite3.Error as error:
        raise OSError(f"{FILES[0]} in it cannot be read as a cache: {error}") from error


def _size_in(database: sqlite3.Connection) -> int:
    # No other user of diskcache stores texts this large in the database.
    mark = "SELECT value FROM Settings WHERE key = 'disk_min_file_size'"
    if database.execute(mark).fetchone() != (LARGEST_TEXT,):
        raise OSError(f"{FILES[0]} in it was made by another program")
    lengths = "SELECT TOTAL(LENGTH(CAST(value AS BLOB))) FROM Cache"
    (size,) = database.execute(lengths).fetchone()
    return int(size)
