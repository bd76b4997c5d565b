"""Counting attempts: each further attempt on the same holdout is tested at a lower level.

A file beside a run's folder has one line for every certificate that was tried there: the holdout
examples, as salted digests that reveal nothing about them, and the candidate.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from langprog.errors import InputError

FILE = "langprog-attempts.jsonl"


class Attempts:
    """The certificates that were tried in the runs of one folder.

    Args:
        run_dir: Folder of a compile's journal; with ``None`` nothing is remembered.
    """

    def __init__(self, run_dir: str | os.PathLike[str] | None) -> None:
        self._path = None if run_dir is None else Path(run_dir).absolute().parent / FILE

    def register(self, holdout: Iterable[str], candidate: str) -> int:
        """Return the number of this attempt on a holdout, from 1, and remember it.

        A candidate that was tried before keeps its number: resuming is not a new attempt.

        Args:
            holdout: Digests of the holdout's inputs.
            candidate: Digest of the compiled program.

        Raises:
            InputError: The file cannot be written.
        """
        if self._path is None:
            return 1
        records = list(self._read())
        salt = next((str(record["salt"]) for record in records if "salt" in record), None)
        lines: list[dict[str, Any]] = []
        if salt is None:
            salt = secrets.token_hex(16)
            lines.append({"salt": salt})
        rows = {_digest_with_salt(salt, digest) for digest in holdout}
        earlier = [record for record in records if rows & set(record.get("rows", ()))]
        for number, record in enumerate(earlier, start=1):
            if record.get("candidate") == candidate:
                return number
        lines.append({"candidate": candidate, "rows": sorted(rows)})
        self._append(lines)
        return len(earlier) + 1

    def _read(self) -> Iterable[Mapping[str, Any]]:
        assert self._path is not None
        try:
            lines = self._path.read_bytes().splitlines()
        except OSError:
            return
        for line in lines:
            try:
                record = json.loads(line)
            except (ValueError, RecursionError):
                continue
            if isinstance(record, dict):
                yield record

    def _append(self, lines: Iterable[Mapping[str, Any]]) -> None:
        assert self._path is not None
        data = "".join(json.dumps(line) + "\n" for line in lines).encode()
        try:
            descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
            try:
                os.write(descriptor, data)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise InputError(
                f"{self._path} cannot be written: {error.strerror}; it counts how often a holdout "
                "was used"
            ) from error


def _digest_with_salt(salt: str, digest: str) -> str:
    return hashlib.sha256(f"{salt} {digest}".encode()).hexdigest()[:16]
