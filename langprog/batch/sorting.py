"""Sorts more rows than fit in memory."""

from __future__ import annotations

import heapq
import json
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from typing import IO, Any

# Bytes of text sorted in memory; as Python objects they take about three times as much.
MOST_ROWS = 50_000
MOST_BYTES = 16 * 2**20
_LINE = json.JSONEncoder(separators=(",", ":"))


class ExternalSort:
    """Sorts JSON lists by their items, with sorted runs in temporary files.

    Follows: external merge sort. Differs: one pass of merging, so that at most a few hundred runs
    are open at a time; callers must bound the number of rows.

    Lists must differ before their first item that cannot be ordered. Files are anonymous: they
    vanish when this is closed or the process ends.
    """

    def __init__(self, *, most_rows: int = MOST_ROWS, most_bytes: int = MOST_BYTES) -> None:
        self._most_rows, self._most_bytes = most_rows, most_bytes
        self._rows: list[list[Any]] = []
        self._size = 0
        self._files = ExitStack()
        self._runs: list[IO[bytes]] = []
        self.count = 0
        self.total_bytes = 0

    def add(self, row: list[Any], size: int) -> None:
        """Add a row.

        Args:
            row: JSON data.
            size: Its approximate size as text, in bytes.
        """
        self._rows.append(row)
        self._size += size
        self.count += 1
        self.total_bytes += size
        if len(self._rows) >= self._most_rows or self._size >= self._most_bytes:
            self._spill()

    def _spill(self) -> None:
        run = self._files.enter_context(tempfile.TemporaryFile(buffering=2**16))
        self._runs.append(run)
        self._rows.sort()
        for row in self._rows:
            run.write(_LINE.encode(row).encode())
            run.write(b"\n")
        run.seek(0)
        self._rows, self._size = [], 0

    def drain(self) -> Iterator[list[Any]]:
        """Yield every row once, in order; no more rows can be added."""
        rows, self._rows = self._rows, []
        rows.sort()
        rows.reverse()
        yield from heapq.merge(*map(_rows_in, self._runs), _drain(rows))

    def close(self) -> None:
        """Release the files."""
        self._files.close()
        self._rows = []


def _rows_in(run: IO[bytes]) -> Iterator[list[Any]]:
    for line in run:
        yield json.loads(line)


def _drain(rows: list[list[Any]]) -> Iterator[list[Any]]:
    # From the end, to free the memory of yielded rows.
    while rows:
        yield rows.pop()
