"""The file to which results are appended: locked, and repaired after any interruption.

One JSON object a line: ``key`` (a digest of run and row), ``row`` (its number in the input),
the kept columns, and ``outputs`` or ``failure``. A line is written when its row is done, so that a
killed run loses only the rows in progress.
"""

from __future__ import annotations

import json
import math
import os
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from langprog.errors import InputError
from langprog.locking import lock_file

START = b'{"key": "'
KEY_LENGTH = 16
RESERVED = ("key", "row", "outputs", "failure")
_BLOCK = 4096
_MOST_ROWS = 2**48
_LINE = json.JSONEncoder(ensure_ascii=False, allow_nan=False)


class DoneRows:
    """The keys of rows that are done, by row number: eight bytes a row."""

    def __init__(self) -> None:
        self._blocks: dict[int, array[int]] = {}
        self.count = 0

    def add(self, number: int, key: str) -> bool:
        """Record a row; return whether it is new."""
        block = self._blocks.get(number // _BLOCK)
        if block is None:
            block = self._blocks[number // _BLOCK] = array("Q", bytes(8 * _BLOCK))
        new = block[number % _BLOCK] == 0
        block[number % _BLOCK] = _as_number(key)
        self.count += new
        return new

    def has(self, number: int, key: str) -> bool | None:
        """Return whether row ``number`` is done; ``None`` if it is done with another key."""
        block = self._blocks.get(number // _BLOCK)
        kept = 0 if block is None else block[number % _BLOCK]
        if kept == 0:
            return False
        return True if kept == _as_number(key) else None


def _as_number(key: str) -> int:
    return int(key, 16) or 1


@dataclass(frozen=True, slots=True)
class Earlier:
    """What a file held when it was opened.

    Args:
        done: Rows whose results are kept.
        again: Failed rows to retry.
        failures: The failures among the kept results, by kind.
        damaged: Lines that cannot be read.
        clean: Whether the file needs no repair.
    """

    done: DoneRows
    again: DoneRows
    failures: Counter[str]
    damaged: int
    clean: bool


class ResultFile:
    """An open file of results, which is not modified before :meth:`mend`.

    Args:
        path: The file; created if it does not exist.
        shown: Its name in messages.
        retry: Whether to retry a failure of that kind.
        copied: Whether another file has all its contents, too.

    Raises:
        InputError: Another process is using it, or it holds something other than results.
        OSError: It cannot be read or written.
    """

    def __init__(
        self, path: Path, shown: Path, retry: Callable[[str], bool], *, copied: bool = False
    ) -> None:
        self.path, self._shown, self._retry = path, shown, retry
        self.copied = copied
        self._broken: OSError | None = None
        # Whether anything was appended.
        self.written = False
        self._fd = _open_locked(path, shown)
        try:
            self.earlier = self._scan()
        except BaseException:
            os.close(self._fd)
            raise

    def _scan(self) -> Earlier:
        done, again, damaged, clean = DoneRows(), DoneRows(), 0, True
        failures: Counter[str] = Counter()
        foreign = ""
        for number, line, record in self._lines():
            if record is None:
                damaged += 1
                clean = False
                if not foreign and not _is_torn(line):
                    foreign = f"line {number}"
                continue
            kind = failure_kind(record)
            rows = again if kind is not None and self._retry(kind) else done
            new = rows.add(record["row"], record["key"])
            clean = clean and new and rows is done and line.endswith(b"\n")
            if kind is not None and new and rows is done:
                failures[kind] += 1
        if foreign and not done.count and not again.count:
            raise self._not_ours(foreign)
        return Earlier(done, again, failures, damaged, clean)

    def _lines(self) -> Iterator[tuple[int, bytes, dict[str, Any] | None]]:
        """Yield each line with its number and record, which is ``None`` if damaged.

        Raises:
            InputError: A line is neither a result nor the remains of one.
        """
        with self.path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                record = record_in(line)
                if record is None and not _may_be_damaged(line):
                    raise self._not_ours(f"line {number}")
                yield number, line, record

    def _not_ours(self, place: str) -> InputError:
        return InputError(
            f"--out: {self._shown}: {place} is not a result of a batch: name another file, or "
            "remove it"
        )

    def mend(self) -> None:
        """Remove damaged lines and rows to retry, in one atomic step.

        Raises:
            OSError: It cannot be written; the file is as it was.
        """
        if self.earlier.clean:
            return
        beside = _beside(self.path)
        fd = os.open(beside, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o666)
        try:
            # From now on, the path is locked for other processes.
            lock_file(fd, wait=False)
            os.chmod(beside, os.fstat(self._fd).st_mode & 0o777)
            _write_all(fd, self._lines_to_keep())
            os.fsync(fd)
            os.replace(beside, self.path)
        except BaseException:
            os.close(fd)
            beside.unlink(missing_ok=True)
            raise
        os.close(self._fd)
        self._fd = fd

    def _lines_to_keep(self) -> Iterator[bytes]:
        seen = DoneRows()
        for _, line, record in self._lines():
            if record is None:
                continue
            kind = failure_kind(record)
            stays = kind is None or not self._retry(kind)
            if stays and seen.add(record["row"], record["key"]):
                yield line if line.endswith(b"\n") else line + b"\n"

    def append(self, records: Iterable[Mapping[str, Any]]) -> None:
        """Write results; they survive a crash of this process when this returns.

        Raises:
            OSError: The disk is full, say.
        """
        if self._broken is not None:
            raise self._broken  # or the line would continue a broken one
        try:
            _write_all(self._fd, [b"".join(map(line_of, records))])
            self.written = True
        except OSError as error:
            self._broken = error
            raise

    def sync(self) -> None:
        """Wait until all writes would survive a power failure."""
        os.fsync(self._fd)

    def records(self) -> Iterator[dict[str, Any]]:
        """Yield every result in the file's order."""
        for _, _, record in self._lines():
            if record is not None:
                yield record

    def close(self) -> None:
        """Release the file."""
        os.close(self._fd)


def record_in(line: bytes) -> dict[str, Any] | None:
    """Return the record of a line; ``None`` if it has no complete one."""
    if not line.startswith(START) or b"\0" in line:
        return None
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    key, number = record.get("key"), record.get("row")
    proper = (
        isinstance(key, str)
        and len(key) == KEY_LENGTH
        and all(char in "0123456789abcdef" for char in key)
        and type(number) is int
        and 0 < number < _MOST_ROWS
        and ("outputs" in record or failure_kind(record) is not None)
    )
    return record if proper else None


def failure_kind(record: Mapping[str, Any]) -> str | None:
    """Return the kind of a record's failure, or ``None``."""
    failure = record.get("failure")
    kind = failure.get("kind") if isinstance(failure, dict) else None
    return kind if isinstance(kind, str) else None


def line_of(record: Mapping[str, Any]) -> bytes:
    """Return a record as a line, escaping only half characters from replies."""
    try:
        text = _LINE.encode(record)
    except ValueError:
        return line_of(_finite(record))
    try:
        return f"{text}\n".encode()
    except UnicodeEncodeError:
        return f"{json.dumps(record)}\n".encode()


def _finite(value: Any) -> Any:
    """Return JSON data with text in place of numbers that JSON does not have."""
    if isinstance(value, float) and not math.isfinite(value):
        return {"nan": "NaN", "inf": "Infinity"}.get(str(value), "-Infinity")
    if isinstance(value, Mapping):
        return {name: _finite(item) for name, item in value.items()}
    return [_finite(item) for item in value] if isinstance(value, list) else value


def _may_be_damaged(line: bytes) -> bool:
    """Return whether a line may be the remains of a result after a crash.

    A power failure leaves zeros; a line can break off anywhere, and another can follow it.
    """
    return _is_torn(line) or line.startswith(b"\0\0\0\0")


def _is_torn(line: bytes) -> bool:
    """Return whether a line begins like a result, whatever follows, or is zeros."""
    rest = line.strip(b"\0\r\n")
    if not rest:
        return b"\0" in line
    if len(rest) <= len(START):
        return START.startswith(rest) and not line.endswith(b"\n")
    key = rest[len(START) : len(START) + KEY_LENGTH].split(b"\0")[0]
    return rest.startswith(START) and not key.strip(b"0123456789abcdef") and not _is_json(rest)


def _is_json(text: bytes) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _beside(path: Path) -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}.new")


def remove_unfinished(path: Path) -> None:
    """Remove new versions of a file that killed processes left unfinished."""
    for left in path.parent.iterdir():
        if left.name.startswith(f".{path.name}.") and left.name.endswith(".new"):
            left.unlink(missing_ok=True)


def write_whole(path: Path, lines: Iterable[bytes]) -> None:
    """Write a file atomically: it is complete, or as it was before.

    Raises:
        OSError: It cannot be written.
    """
    beside = _beside(path)
    try:
        fd = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
        try:
            if path.exists():
                os.chmod(beside, path.stat().st_mode & 0o777)
            _write_all(fd, lines)
            os.fsync(fd)
        finally:
            os.close(fd)
        os.replace(beside, path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def _write_all(fd: int, pieces: Iterable[bytes]) -> None:
    for piece in pieces:
        view = memoryview(piece)
        while view:
            view = view[os.write(fd, view) :]


def _open_locked(path: Path, shown: Path) -> int:
    """Return a descriptor of the file that holds its lock.

    Raises:
        InputError: Another process holds it.
    """
    while True:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
        if not lock_file(fd, wait=False):
            os.close(fd)
            raise InputError(
                f"--out: {shown} is being written by another run: wait for it to end, or name "
                "another file"
            )
        try:
            same = os.path.samestat(os.stat(path), os.fstat(fd))
        except FileNotFoundError:
            same = False
        if same:
            return fd
        os.close(fd)  # the previous holder has replaced the file
