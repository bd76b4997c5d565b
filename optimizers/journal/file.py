"""An append-only file of JSON lines, each with a checksum, under a lock."""

from __future__ import annotations

import json
import os
import re
import threading
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from langprog.errors import InputError
from langprog.locking import lock_file

LOCK = "lock"
CHECKSUM_LENGTH = len(b',"crc":"00000000"}\n')
CHECKSUM = re.compile(rb',"crc":"([0-9a-f]{8})"\}\n')


class JournalFile:
    """The file of a journal, synced by a separate thread.

    Args:
        path: The file; its folder is created if needed.

    Raises:
        InputError: The folder cannot be written, or is in use by another process.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(path.parent / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise InputError(
                f"run_dir {str(path.parent)!r} cannot be written: {error.strerror}"
            ) from error
        if not lock_file(self._lock, wait=False):
            os.close(self._lock)
            raise InputError(
                f"run_dir {str(path.parent)!r} is in use by another compile: "
                "wait for it, or choose another run_dir"
            )
        self.damaged = 0
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        self._dirty = threading.Event()
        self._closed = False
        self._trouble: OSError | None = None
        self._syncer = threading.Thread(target=self._sync_forever, name="journal", daemon=True)
        self._syncer.start()

    def read(self) -> Iterator[dict[str, Any]]:
        """Yield every complete record; ``damaged`` counts the other lines.

        An incomplete last line, left by a kill, is removed.
        """
        self.damaged = 0
        end = 0
        with open(self._path, "rb") as lines:
            for line in lines:
                if not line.endswith(b"\n"):
                    break
                end += len(line)
                record = decode_line(line)
                if record is None:
                    self.damaged += 1
                else:
                    yield record
        os.ftruncate(self._fd, end)

    def append(self, record: Mapping[str, Any]) -> None:
        """Write a record to the operating system's buffer.

        Raises:
            InputError: The disk cannot be written: going on would lose paid requests.
        """
        data = encode_line(record)
        try:
            if self._trouble is not None:
                raise self._trouble
            written = os.write(self._fd, data)
            while written < len(data):  # a signal may cut a write short
                written += os.write(self._fd, data[written:])
        except OSError as error:
            raise InputError(
                f"{self._path} cannot be written: {error.strerror}; free some space and run the "
                "same command again to resume"
            ) from error
        self._dirty.set()

    def sync(self) -> None:
        """Flush everything to disk."""
        os.fsync(self._fd)

    def _sync_forever(self) -> None:
        while not self._closed:
            self._dirty.wait()
            self._dirty.clear()
            try:
                os.fsync(self._fd)
            except OSError as error:
                self._trouble = error  # raised where the next line is written
                return

    def close(self) -> None:
        """Flush everything to disk and unlock the folder."""
        if self._closed:
            return
        self._closed = True
        self._dirty.set()
        self._syncer.join()
        os.fsync(self._fd)
        os.close(self._fd)
        os.close(self._lock)


def encode_line(record: Mapping[str, Any]) -> bytes:
    """Return a record as a line of JSON with its checksum as the last key."""
    body = json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode()
    return body[:-1] + b',"crc":"%08x"}\n' % zlib.crc32(body)


def read_records(path: Path) -> Iterator[dict[str, Any]]:
    """Yield every complete record of a journal, which another process may be writing.

    Raises:
        InputError: The file cannot be read.
    """
    try:
        with open(path, "rb") as lines:
            for line in lines:
                record = decode_line(line)
                if record is not None:
                    yield record
    except OSError as error:
        raise InputError(f"{str(path)!r} cannot be read: {error.strerror}") from None


def decode_line(line: bytes) -> dict[str, Any] | None:
    """Return the record of a line; ``None`` if it is damaged."""
    match = CHECKSUM.fullmatch(line, max(0, len(line) - CHECKSUM_LENGTH))
    if match is None:
        return None
    body = line[: match.start()] + b"}"
    if zlib.crc32(body) != int(match[1], 16):
        return None
    try:
        record = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) and "kind" in record else None
