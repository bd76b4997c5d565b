"""The journal of a compile: every completed call and every decision, in one append-only file.

Each line of ``journal.jsonl`` is one JSON object:

- ``header``: which compile this is; a different one refuses to go on from it.
- ``session``: the compile was started, or started again after a kill.
- ``call``: the key of a request and its completion.
- ``dialect``: the settings that a model's endpoint refuses, and what it took to find out.
- ``decision``: what the search concluded, numbered; kept for people and reports.

A compile is a deterministic function of its inputs and of the completions. So one that was killed
is run again from the start, with the completions taken from here: it takes the same decisions and
pays for nothing twice. A line is handed to the operating system as soon as its call is done (a
killed process loses none) and brought to the disk by a thread that groups what has come in.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from langprog.errors import InputError
from langprog.lm import Completion, Cost, Setting, completion_from_json, completion_to_json
from optimizers.budget.meter import Meter

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

FORMAT = 2
FILE = "journal.jsonl"
LOCK = "lock"


@dataclass(frozen=True, slots=True)
class Earlier:
    """What earlier sessions of the same compile paid, before they were stopped."""

    sessions: int = 0
    paid: Cost = Cost()
    seconds: float = 0.0


class Journal:
    """Completed calls and decisions of one compile; a memo for ``langprog.lm.Recorded``.

    Args:
        run_dir: Folder of the file, made where it does not exist; ``None`` keeps all in memory.
        compile_of: What makes this compile this one, by name; all values short JSON texts.

    Raises:
        InputError: The folder cannot be written, is in use by another process, holds the journal
            of a different compile, or a damaged one.
    """

    def __init__(self, run_dir: str | os.PathLike[str] | None, compile_of: Mapping[str, str]):
        self.meter = Meter()
        self.path = None if run_dir is None else Path(run_dir) / FILE
        self.earlier = Earlier()
        self.diverged_at: int | None = None
        self._calls: dict[str, Completion] = {}
        self._dialects: dict[tuple[str, str], frozenset[Setting]] = {}
        self._proven: dict[tuple[str, str], bool] = {}
        self._decisions: list[dict[str, Any]] = []
        self._known_decisions: list[dict[str, Any]] = []
        self._mutex = threading.Lock()
        self._started = time.monotonic()
        self._file: _File | None = None
        if self.path is not None:
            self._open(self.path, compile_of)

    def _open(self, path: Path, compile_of: Mapping[str, str]) -> None:
        self._file = _File(path)
        try:
            records = list(self._file.read())
            if records:
                _same_compile(records[0], compile_of, path.parent)
                self._replay_all(records[1:])
            else:
                self._append({"kind": "header", "format": FORMAT, "compile": dict(compile_of)})
            self._append({"kind": "session", "number": self.earlier.sessions + 1})
            self._file.sync()
        except BaseException:
            self._file.close()
            raise

    def _replay_all(self, records: list[dict[str, Any]]) -> None:
        try:
            self._replay(records)
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(
                f"{self.path} is damaged ({error!r}): move the file away to start over, "
                "or choose another run_dir"
            ) from None

    def _replay(self, records: list[dict[str, Any]]) -> None:
        sessions, seconds, at = 0, 0.0, 0.0
        paid = Cost()
        for record in records:
            if record["kind"] == "session":
                sessions, seconds, at = sessions + 1, seconds + at, 0.0
            elif record["kind"] == "call":
                completion = completion_from_json(record["completion"])
                self._calls[record["key"]] = completion
                at = max(at, record["at"])
                if record["paid"]:
                    paid += _cost(1, completion.usage.total_tokens, completion.dollars)
            elif record["kind"] == "dialect":
                endpoint = (record["model"], record["endpoint"])
                self._dialects[endpoint] = frozenset(record["refused"])
                if record["schema"] is not None:
                    self._proven[endpoint] = record["schema"]
                paid += _cost(record["calls"], record["tokens"], record["dollars"])
            elif record["kind"] == "decision":
                del self._known_decisions[record["number"] :]
                self._known_decisions.append(record)
        self.earlier = Earlier(sessions, paid, seconds + at)

    # --- calls: the memo ------------------------------------------------------------------------

    def get(self, key: str) -> Completion | None:
        """Return the completion of a request that was answered before, marked as cached."""
        with self._mutex:
            completion = self._calls.get(key)
        if completion is None:
            return None
        self.meter.count(key, completion)
        return replace(completion, cached=True)

    def put(self, key: str, completion: Completion) -> None:
        """Keep a completion; it is out of the process's hands when this returns."""
        with self._mutex:
            if key in self._calls:
                return
            self._calls[key] = completion
            if self._file is not None:
                self._append(
                    {
                        "kind": "call",
                        "key": key,
                        "paid": not completion.cached,
                        "at": round(time.monotonic() - self._started, 3),
                        "completion": completion_to_json(completion),
                    }
                )
        self.meter.count(key, completion)

    # --- dialects -------------------------------------------------------------------------------

    def knows(self, endpoint: tuple[str, str]) -> bool:
        """Return whether the dialect of (model, endpoint) was found out."""
        return endpoint in self._dialects

    def refused(self, endpoint: tuple[str, str]) -> frozenset[Setting]:
        """Return the settings that (model, endpoint) is known to refuse."""
        return self._dialects.get(endpoint, frozenset())

    def proven(self, endpoint: tuple[str, str]) -> bool | None:
        """Return whether (model, endpoint) kept to a schema; ``None`` where nobody has tried."""
        return self._proven.get(endpoint)

    def learn(
        self,
        endpoint: tuple[str, str],
        refused: frozenset[Setting],
        completion: Completion | None = None,
        schema: bool | None = None,
    ) -> None:
        """Keep a dialect.

        Args:
            endpoint: Name of the model, and where it answers.
            refused: All settings that it refuses.
            completion: What was paid for to find out, if anything was.
            schema: Whether it kept to a response schema, if that was tried.
        """
        with self._mutex:
            self._dialects[endpoint] = refused
            if schema is not None:
                self._proven[endpoint] = schema
            if self._file is not None:
                self._append(
                    {
                        "kind": "dialect",
                        "model": endpoint[0],
                        "endpoint": endpoint[1],
                        "refused": sorted(refused),
                        "schema": schema,
                        "calls": int(completion is not None),
                        "tokens": completion.usage.total_tokens if completion else 0,
                        "dollars": completion.dollars if completion else 0.0,
                    }
                )

    # --- decisions ------------------------------------------------------------------------------

    def decide(self, what: str, data: Mapping[str, Any]) -> None:
        """Write down a decision; one that an earlier session wrote already is not repeated."""
        number = len(self._decisions)
        record = {"kind": "decision", "number": number, "what": what, "data": dict(data)}
        # As it will be read back, so that tuples and lists compare as equal.
        record = json.loads(json.dumps(record))
        self._decisions.append(record)
        known = self._known_decisions[number] if number < len(self._known_decisions) else None
        if known == record and self.diverged_at is None:
            return
        if known is not None and self.diverged_at is None:
            self.diverged_at = number
        if self._file is not None:
            with self._mutex:
                self._append(record)
            self._file.sync()

    @property
    def decisions(self) -> tuple[Mapping[str, Any], ...]:
        """The decisions of this compile so far, oldest first: ``what`` and ``data`` of each."""
        return tuple(self._decisions)

    # --- the file -------------------------------------------------------------------------------

    def _append(self, record: Mapping[str, Any]) -> None:
        assert self._file is not None
        self._file.append(json.dumps(record, ensure_ascii=False, separators=(",", ":")))

    def close(self) -> None:
        """Bring everything to the disk and let go of the folder."""
        if self._file is not None:
            self._file.close()


class _File:
    """An append-only file of lines under a lock, synced by a thread of its own."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(path.parent / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise InputError(
                f"run_dir {str(path.parent)!r} cannot be written: {error.strerror}"
            ) from error
        if not _locked(self._lock):
            os.close(self._lock)
            raise InputError(
                f"run_dir {str(path.parent)!r} is in use by another compile: "
                "wait for it, or choose another run_dir"
            )
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        self._dirty = threading.Event()
        self._closed = False
        self._trouble: OSError | None = None
        self._syncer = threading.Thread(target=self._sync_forever, name="journal", daemon=True)
        self._syncer.start()

    def read(self) -> Iterator[dict[str, Any]]:
        """Yield every whole record; a last line that a kill cut off is taken away.

        Raises:
            InputError: A line before the last is damaged.
        """
        good = 0
        with open(self._path, "rb") as lines:
            for number, line in enumerate(lines, start=1):
                record = _record(line)
                if record is None:
                    if lines.read(1):
                        raise InputError(
                            f"{self._path}, line {number} is damaged: move the file away "
                            "to start over, or choose another run_dir"
                        )
                    break
                good += len(line)
                yield record
        os.ftruncate(self._fd, good)

    def append(self, line: str) -> None:
        """Hand a line to the operating system.

        Raises:
            InputError: The disk does not take it: going on would lose what is paid for.
        """
        data = line.encode() + b"\n"
        try:
            if self._trouble is not None:
                raise self._trouble
            written = os.write(self._fd, data)
            while written < len(data):  # a signal may cut a write short
                written += os.write(self._fd, data[written:])
        except OSError as error:
            raise InputError(
                f"{self._path} cannot be written: {error.strerror}; make room and run the same "
                "command again, it goes on from there"
            ) from error
        self._dirty.set()

    def sync(self) -> None:
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
        if self._closed:
            return
        self._closed = True
        self._dirty.set()
        self._syncer.join()
        os.fsync(self._fd)
        os.close(self._fd)
        os.close(self._lock)


def _cost(calls: int, tokens: int, dollars: float | None) -> Cost:
    unpriced = calls if dollars is None else 0
    return Cost(calls, tokens, dollars or 0.0, unpriced=unpriced)


def _locked(fd: int) -> bool:
    """Take the lock; the system gives it back when the process ends, however it ends."""
    try:
        if sys.platform == "win32":
            msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _record(line: bytes) -> dict[str, Any] | None:
    if not line.endswith(b"\n"):
        return None
    try:
        record = json.loads(line)
    except ValueError:
        return None
    return record if isinstance(record, dict) and "kind" in record else None


def _same_compile(header: Mapping[str, Any], compile_of: Mapping[str, str], folder: Path) -> None:
    if header.get("kind") != "header" or header.get("format") != FORMAT:
        raise InputError(
            f"run_dir {str(folder)!r} holds a journal of another format: choose another run_dir"
        )
    there = header["compile"]
    differing = [name for name in compile_of if there.get(name) != compile_of[name]]
    if differing:
        what = "; ".join(
            f"{name} ({there.get(name, 'none')} there, {compile_of[name]} here)"
            for name in differing
        )
        raise InputError(
            f"run_dir {str(folder)!r} holds a different compile: it differs in {what}. "
            "Choose another run_dir, or delete this one to start over"
        )
