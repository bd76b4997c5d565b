"""Counting attempts: each further attempt on the same holdout is tested at a lower level.

A file beside a run's folder has one line for every certificate that was tried there: the holdout
examples, as salted digests that reveal nothing about them, the candidate and the claim. The run's
folder holds a copy, so that a folder that is moved or copied takes its attempts with it.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from langprog.errors import InputError
from optimizers.journal import lock_file

FILE = "langprog-attempts.jsonl"


@dataclass(frozen=True, slots=True)
class _Record:
    """One attempt; rows are ``None`` where the line is damaged."""

    salt: str = ""
    candidate: str = ""
    claim: str | None = None
    rows: frozenset[str] | None = None

    def shares_rows(self, holdout: Sequence[str]) -> bool:
        # Whatever cannot be read may have been about this holdout.
        return self.rows is None or not self.rows.isdisjoint(self.digest(holdout))

    def is_same(self, holdout: Sequence[str], candidate: str, claim: str) -> bool:
        known = self.candidate == candidate and self.claim in (None, claim)
        return known and self.rows == self.digest(holdout)

    def digest(self, holdout: Iterable[str]) -> frozenset[str]:
        return frozenset(_digest_with_salt(self.salt, each) for each in holdout)

    def to_line(self) -> bytes:
        record = {
            "salt": self.salt,
            "candidate": self.candidate,
            "claim": self.claim,
            "rows": sorted(self.rows or ()),
        }
        return json.dumps(record).encode() + b"\n"


class Attempts:
    """The certificates that were tried in the runs of one folder.

    Args:
        run_dir: Folder of a compile's journal; with ``None`` nothing is remembered.
    """

    def __init__(self, run_dir: str | os.PathLike[str] | None) -> None:
        self._folder = None if run_dir is None else Path(run_dir).absolute()

    @property
    def are_kept(self) -> bool:
        """Whether attempts are remembered."""
        return self._folder is not None

    def register(self, holdout: Iterable[str], candidate: str, claim: str = "") -> int:
        """Return the number of this attempt on a holdout, from 1, and remember it.

        The same claim about the same candidate on the same examples keeps its number: resuming is
        not a new attempt. Other examples are, even if most are the same, as each further look may
        be the one that succeeds by luck.

        Args:
            holdout: Digests of the holdout's inputs.
            candidate: Digest of the compiled program.
            claim: What is to be shown, and by which metric.

        Raises:
            InputError: The file cannot be written.
        """
        if self._folder is None:
            return 1
        path, keys = self._folder.parent / FILE, sorted(set(holdout))
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with open(path, "a+b") as file:
                lock_file(file.fileno())  # two compiles must not take the same number
                file.seek(0)
                return self._register(file, keys, candidate, claim)
        except OSError as error:
            raise InputError(
                f"{path} cannot be written: {error.strerror}; it counts how often a holdout "
                "was used"
            ) from error

    def _register(self, file: Any, holdout: Sequence[str], candidate: str, claim: str) -> int:
        assert self._folder is not None
        data = file.read()
        beside = _parse(data)
        own = self._folder / FILE
        copied = own.read_bytes() if own.is_file() else b""
        records = beside + [each for each in _parse(copied) if each not in beside]
        earlier = [each for each in records if each.shares_rows(holdout)]
        number = next(
            (n for n, each in enumerate(earlier, 1) if each.is_same(holdout, candidate, claim)),
            None,
        )
        if number is None:
            salt = next((each.salt for each in records if each.salt), secrets.token_hex(16))
            new = _Record(salt, candidate, claim)
            records.append(_Record(salt, candidate, claim, new.digest(holdout)))
            number = len(earlier) + 1
        _append(file, data, [each for each in records if each not in beside])
        known = _parse(copied)
        with open(own, "ab") as copy:
            _append(copy, copied, [each for each in records if each not in known])
        return number


def _parse(data: bytes) -> list[_Record]:
    """Return the attempts of a file, with one for each line that is damaged."""
    records = []
    salt = ""
    for line in data.splitlines():
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            record = None
        if not isinstance(record, dict):
            records.append(_Record(candidate=hashlib.sha256(line).hexdigest()))
            continue
        salt = str(record.get("salt", salt))
        if "rows" in record:
            records.append(_read(record, salt))
    return records


def _read(record: Mapping[str, Any], salt: str) -> _Record:
    rows, claim = record["rows"], record.get("claim")
    readable = bool(salt) and isinstance(rows, list)
    return _Record(
        salt,
        str(record.get("candidate")),
        None if claim is None else str(claim),
        frozenset(map(str, rows)) if readable else None,
    )


def _append(file: Any, data: bytes, records: Iterable[_Record]) -> None:
    lines = b"".join(each.to_line() for each in records if each.rows is not None)
    if not lines:
        return
    # A line that a kill cut short must not swallow the next one.
    file.write((b"\n" if data and not data.endswith(b"\n") else b"") + lines)
    file.flush()
    os.fsync(file.fileno())


def _digest_with_salt(salt: str, digest: str) -> str:
    return hashlib.sha256(f"{salt} {digest}".encode()).hexdigest()[:16]
