"""Answers and comparisons in a file that any number of processes may use."""

from __future__ import annotations

import json
import os
import sqlite3
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from langprog.errors import InputError
from langprog.reuse.chances import Vector
from langprog.reuse.scope import Scope

FILE = "semantic.db"
# Marks the file as ours, with the version of its tables.
APPLICATION, VERSION = 0x6C707363, 1
BUSY = 5.0
_TABLES = """
CREATE TABLE IF NOT EXISTS answers (
    id INTEGER PRIMARY KEY AUTOINCREMENT, scope TEXT NOT NULL, vector BLOB NOT NULL,
    outputs TEXT NOT NULL, checksum INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS comparisons (
    id INTEGER PRIMARY KEY AUTOINCREMENT, scope TEXT NOT NULL, answer INTEGER NOT NULL,
    similarity REAL NOT NULL, right INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS answers_of ON answers (scope, id);
CREATE INDEX IF NOT EXISTS comparisons_of ON comparisons (scope, id);
"""


@dataclass
class _Seen:
    """A scope in memory, and up to where the file was read for it."""

    scope: Scope
    answers: int = 0
    comparisons: int = 0


class AnswerStore:
    """The answers of all scopes; in memory, and in a file if there is a folder.

    Rows are only added, so that each process reads what others have added since. A damaged row
    counts as none.

    Args:
        folder: Created on first use; ``None`` keeps everything in memory.

    Raises:
        InputError: The folder cannot be used, or the file in it is something else.
    """

    def __init__(self, folder: Path | None) -> None:
        self._path = None if folder is None else folder / FILE
        self._process = -1
        self._open()

    def _open(self) -> None:
        """Open the file; also in a forked process, which may not use its parent's connection."""
        self._process, self._version = os.getpid(), -1
        self._seen: dict[str, _Seen] = {}
        place = ":memory:" if self._path is None else str(self._path)
        try:
            if self._path is not None:
                self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = sqlite3.connect(place, timeout=BUSY, check_same_thread=False)
            self._file.isolation_level = None
            self._prepare(place)
        except (OSError, sqlite3.Error) as error:
            raise InputError(
                f"the semantic cache {place} cannot be used ({error}): name another folder, or "
                "remove it"
            ) from None

    def _prepare(self, place: str) -> None:
        (application,) = self._file.execute("PRAGMA application_id").fetchone()
        (version,) = self._file.execute("PRAGMA user_version").fetchone()
        (tables,) = self._file.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if tables and (application, version) != (APPLICATION, VERSION):
            raise InputError(
                f"{place} is not a semantic cache of this version: name another folder, or remove "
                "it"
            )
        self._file.execute("PRAGMA journal_mode=WAL")
        self._file.execute("PRAGMA synchronous=NORMAL")
        if not tables:
            self._file.executescript(
                f"BEGIN IMMEDIATE;{_TABLES}"
                f"PRAGMA application_id={APPLICATION};PRAGMA user_version={VERSION};COMMIT;"
            )

    def scope(self, key: str) -> Scope:
        """Return a scope with everything that any process has added to it so far."""
        if self._process != os.getpid():
            self._open()
        seen = self._seen.get(key)
        try:
            (version,) = self._file.execute("PRAGMA data_version").fetchone()
            if version != self._version:  # another process has written
                self._version = version
                self._check_cleared()
                seen = self._seen.get(key)
                for name, known in self._seen.items():
                    self._read(name, known)
            if seen is None:
                seen = self._seen[key] = _Seen(Scope())
                self._read(key, seen)
        except sqlite3.Error:
            seen = seen or _Seen(Scope())  # a damaged file knows no answers
        return seen.scope

    def _check_cleared(self) -> None:
        if self._file.execute("SELECT 1 FROM answers LIMIT 1").fetchone() is None:
            self._seen.clear()

    def _read(self, key: str, seen: _Seen) -> None:
        rows = self._file.execute(
            "SELECT id, vector, outputs, checksum FROM answers WHERE scope = ? AND id > ? "
            "ORDER BY id",
            (key, seen.answers),
        )
        for number, vector, outputs, checksum in rows:
            seen.answers = number
            array = _vector_in(vector, outputs, checksum)
            if array is not None:
                seen.scope.add(number, array)
        rows = self._file.execute(
            "SELECT id, answer, similarity, right FROM comparisons WHERE scope = ? AND id > ? "
            "ORDER BY id",
            (key, seen.comparisons),
        )
        for number, answer, similarity, right in rows:
            seen.comparisons = number
            if isinstance(similarity, float) and 0.0 < similarity < 1.01 and right in (0, 1):
                seen.scope.compare(answer, similarity, bool(right))

    def answer(self, entry: int) -> Mapping[str, Any] | None:
        """Return the outputs of an answer as plain data; ``None`` if it is damaged."""
        try:
            row = self._file.execute(
                "SELECT vector, outputs, checksum FROM answers WHERE id = ?", (entry,)
            ).fetchone()
            if row is None or _vector_in(*row) is None:
                return None
            outputs = json.loads(row[1])
        except (sqlite3.Error, ValueError, RecursionError):
            return None
        return outputs if isinstance(outputs, dict) else None

    def add(self, key: str, vector: Vector, outputs: Mapping[str, Any]) -> None:
        """Keep an answer, unless the disk is full or busy."""
        data, text = vector.astype("<f4").tobytes(), json.dumps(outputs)
        row = (key, data, text, _checksum(data, text))
        self._write(
            "INSERT INTO answers (scope, vector, outputs, checksum) VALUES (?, ?, ?, ?)", key, row
        )

    def compare(self, key: str, entry: int, similarity: float, right: bool) -> None:
        """Keep what a comparison has shown, unless the disk is full or busy."""
        row = (key, entry, similarity, int(right))
        self._write(
            "INSERT INTO comparisons (scope, answer, similarity, right) VALUES (?, ?, ?, ?)",
            key,
            row,
        )

    def _write(self, statement: str, key: str, row: tuple[Any, ...]) -> None:
        seen = self._seen.get(key)
        try:
            self._file.execute(statement, row)
            if seen is not None:
                self._read(key, seen)
        except sqlite3.Error:
            return  # an answer is lost to the cache, not to whoever asked

    def clear(self) -> int:
        """Remove everything, also for other processes, and return how many answers there were.

        Raises:
            InputError: The file cannot be written.
        """
        try:
            (count,) = self._file.execute("SELECT count(*) FROM answers").fetchone()
            self._file.executescript("BEGIN;DELETE FROM answers;DELETE FROM comparisons;COMMIT;")
        except sqlite3.Error as error:
            raise InputError(f"the semantic cache was not cleared: {error}") from None
        self._seen.clear()
        return int(count)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _checksum(vector: bytes, outputs: str) -> int:
    return zlib.crc32(outputs.encode("utf-8", "replace"), zlib.crc32(vector))


def _vector_in(vector: Any, outputs: Any, checksum: Any) -> Vector | None:
    """Return the vector of a row; ``None`` if the row is damaged."""
    if not isinstance(vector, bytes) or not isinstance(outputs, str) or len(vector) % 4:
        return None
    return np.frombuffer(vector, "<f4") if _checksum(vector, outputs) == checksum else None
