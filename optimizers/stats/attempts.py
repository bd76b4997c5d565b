"""Counting attempts: each further attempt on the same holdout is tested at a lower level.

A file beside a run's folder has one line for every certificate that was tried there: the holdout
examples, as salted digests, the candidate and the claim. The run's folder holds a copy, so that a
folder that is moved or copied takes its attempts with it. Attempts of earlier compiles also stand
in the lineage of the program.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from langprog.errors import InputError
from langprog.evaluation import attempt_level, salted_digest
from langprog.locking import lock_file

FILE = "langprog-attempts.jsonl"


@dataclass(frozen=True, slots=True)
class Attempt:
    """What is tried on a holdout.

    Args:
        candidate: Digest of the compiled program.
        claim: What is to be shown, and by which metric.
        holdout: Digest of all inputs in the holdout together.
    """

    candidate: str
    claim: str
    holdout: str

    @classmethod
    def on(cls, holdout: Iterable[str], candidate: str, claim: str) -> Attempt:
        """Return the attempt on a holdout, given as digests of its inputs."""
        return cls(candidate, claim, _digest(json.dumps(sorted(set(holdout)))))

    @property
    def id(self) -> str:
        """Sixteen hexadecimal digits for the attempt."""
        return _digest(json.dumps([self.candidate, self.claim, self.holdout]))


@dataclass(frozen=True, slots=True)
class Look:
    """What the holdout showed in an attempt.

    Args:
        salt: Hashed with each result.
        results: Salted digests of the scores of every row that both programs were scored on.
    """

    salt: str = ""
    results: frozenset[str] = frozenset()

    @classmethod
    def of(cls, salt: str, results: Iterable[str]) -> Look:
        """Return a look at these results, texts with a row and its scores."""
        return cls(salt, frozenset(salted_digest(salt, each) for each in results))

    def is_continued_by(self, results: Iterable[str]) -> bool:
        """Return whether these results are the same, for rows that had some."""
        return self.results <= Look.of(self.salt, results).results

    def to_line(self, id: str) -> bytes:
        record = {"salt": self.salt, "id": id, "results": sorted(self.results)}
        return json.dumps(record).encode() + b"\n"


@dataclass(frozen=True, slots=True)
class EarlierAttempt:
    """An attempt in the lineage of a program.

    Args:
        number: Its number.
        look: What the holdout showed.
    """

    number: int
    look: Look = Look()


@dataclass(frozen=True, slots=True)
class _Record:
    """One attempt; rows are ``None`` where the line is damaged, the id is in earlier versions."""

    salt: str = ""
    candidate: str = ""
    claim: str | None = None
    rows: frozenset[str] | None = None
    id: str | None = None

    def shares_rows(self, holdout: Iterable[str]) -> bool:
        # Whatever cannot be read may have been about this holdout.
        return self.rows is None or not self.rows.isdisjoint(self.digest(holdout))

    def is_same(self, attempt: Attempt, holdout: Iterable[str]) -> bool:
        if self.id is not None:
            return self.id == attempt.id
        known = self.candidate == attempt.candidate and self.claim in (None, attempt.claim)
        return known and self.rows == self.digest(holdout)

    def digest(self, holdout: Iterable[str]) -> frozenset[str]:
        return frozenset(salted_digest(self.salt, each) for each in holdout)

    def to_line(self) -> bytes:
        record = {
            "salt": self.salt,
            "candidate": self.candidate,
            "claim": self.claim,
            "rows": sorted(self.rows or ()),
            **({} if self.id is None else {"id": self.id}),
        }
        return json.dumps(record).encode() + b"\n"


class Attempts:
    """The certificates that were tried in the runs of one folder.

    Args:
        run_dir: Folder of a compile's journal; with ``None`` nothing is remembered.
    """

    def __init__(self, run_dir: str | os.PathLike[str] | None) -> None:
        self._folder = None if run_dir is None else Path(run_dir).absolute()

    def describe(self, number: int) -> list[str]:
        """Return notes on how an attempt was counted, and what its number means."""
        notes = []
        if self._folder is None:
            notes.append(
                "without run_dir, attempts on this holdout are counted in the lineage of the "
                "program alone: the level of the certificate is right if there were no others"
            )
        if number > 1:
            level = attempt_level(number)
            notes.append(f"attempt {number} on this holdout: a claim now needs p <= {level:.2g}")
        return notes

    def register(
        self,
        attempt: Attempt,
        holdout: Iterable[str],
        *,
        similar: Iterable[str] = (),
        earlier: Mapping[str, EarlierAttempt] = MappingProxyType({}),
    ) -> int:
        """Return the number of this attempt on a holdout, from 1, and remember it.

        The same claim about the same candidate on the same examples keeps its number: resuming is
        not a new attempt. Other examples are, even if most are the same, as each further look may
        be the one that succeeds by luck.

        Args:
            attempt: What is tried.
            holdout: Digests of the holdout's inputs.
            similar: Further digests of the holdout, which similar inputs share. They do not make
                an attempt another one, but an earlier one with any of them is counted.
            earlier: Attempts on any of these inputs in the program's lineage, by id.

        Raises:
            InputError: The file cannot be written.
        """
        keys = sorted(set(holdout))
        if attempt.id in earlier:
            return earlier[attempt.id].number
        if self._folder is None:
            return len(earlier) + 1
        with self._open(self._folder) as file:
            return self._register(file, attempt, keys, {*keys, *similar}, set(earlier))

    def expect(
        self,
        holdout: Iterable[str],
        *,
        similar: Iterable[str] = (),
        earlier: Mapping[str, EarlierAttempt] = MappingProxyType({}),
    ) -> int:
        """Return the number that an attempt will have, before anything is known of a candidate.

        Where this run has registered one, it is resumed, and most likely ends with the same.

        Args:
            holdout: As for :meth:`register`.
            similar: As for :meth:`register`.
            earlier: As for :meth:`register`.
        """
        rows, beside, own = {*holdout, *similar}, b"", b""
        if self._folder is not None:
            beside = _read_bytes(self._folder.parent / FILE)
            own = _read_bytes(self._folder / FILE)
        records = _join_records(beside, own)
        known = [each for each in records if each.shares_rows(rows) and each.id not in earlier]
        number = len(known) + 1
        for newest in _parse(own)[-1:]:  # a run's own attempt is the last in its folder
            number = known.index(newest) + 1 if newest in known else number
        return number + len(earlier)

    def settle(
        self,
        attempt: Attempt,
        holdout: Iterable[str],
        results: Sequence[str],
        *,
        similar: Iterable[str] = (),
        earlier: Mapping[str, EarlierAttempt] = MappingProxyType({}),
    ) -> int:
        """Return the number of an attempt whose results are there.

        It is that of :meth:`register`, unless the same was tried before with other results: models
        answer differently from time to time, so whoever repeats an attempt in a new folder sees
        more of them, and that counts as another attempt. Rows that only now have scores, after an
        outage, do not.

        Args:
            attempt: What was tried.
            holdout: As for :meth:`register`.
            results: A text for every row that both programs were scored on, with its scores.
            similar: As for :meth:`register`.
            earlier: As for :meth:`register`.

        Raises:
            InputError: The file cannot be written.
        """
        keys, similar = list(holdout), list(similar)
        known = earlier[attempt.id].look if attempt.id in earlier else None
        if self._folder is not None:
            with self._open(self._folder) as file:
                data = file.read()
                known = _find_look(data, attempt.id) or known
                if known is None or known.is_continued_by(results):
                    new = Look.of(known.salt if known else secrets.token_hex(16), results)
                    if new != known:
                        _append(file, data, [new.to_line(attempt.id)])
        if known is not None and not known.is_continued_by(results):
            again = _digest(json.dumps([attempt.holdout, sorted(results)]))
            attempt = replace(attempt, holdout=again)
        return self.register(attempt, keys, similar=similar, earlier=earlier)

    @contextmanager
    def _open(self, folder: Path) -> Iterator[Any]:
        path = folder.parent / FILE
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with open(path, "a+b") as file:
                lock_file(file.fileno())  # two compiles must not take the same number
                file.seek(0)
                yield file
        except OSError as error:
            raise InputError(
                f"{path} cannot be written: {error.strerror}; it counts how often a holdout "
                "was used"
            ) from error

    def _register(
        self,
        file: Any,
        attempt: Attempt,
        holdout: Sequence[str],
        rows: Set[str],
        inherited: Set[str],
    ) -> int:
        assert self._folder is not None
        own = self._folder / FILE
        data, copied = file.read(), _read_bytes(own)
        beside, records = _parse(data), _join_records(data, copied)
        earlier = [each for each in records if each.shares_rows(rows) and each.id not in inherited]
        number = next(
            (n for n, each in enumerate(earlier, 1) if each.is_same(attempt, holdout)), None
        )
        if number is None:
            salt = next((each.salt for each in records if each.salt), secrets.token_hex(16))
            new = _Record(salt, attempt.candidate, attempt.claim, id=attempt.id)
            records.append(replace(new, rows=new.digest(rows)))
            number = len(earlier) + 1
        number += len(inherited)
        _append(file, data, _lines(each for each in records if each not in beside))
        known = _parse(copied)
        with open(own, "ab") as copy:
            _append(copy, copied, _lines(each for each in records if each not in known))
        return number


def _read_bytes(path: Path) -> bytes:
    return path.read_bytes() if path.is_file() else b""


def _join_records(beside: bytes, own: bytes) -> list[_Record]:
    """Return the attempts of a file and of the copy in a run's folder."""
    records = _parse(beside)
    return records + [each for each in _parse(own) if each not in records]


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
        if "results" in record:
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
        str(record["id"]) if "id" in record else None,
    )


def _find_look(data: bytes, id: str) -> Look | None:
    """Return the newest results that a file has of an attempt."""
    for line in reversed(data.splitlines()):
        if id.encode() not in line or b'"results"' not in line:
            continue
        with suppress(ValueError, RecursionError, TypeError, KeyError):
            record = json.loads(line)
            if record["id"] == id:
                return Look(str(record["salt"]), frozenset(map(str, record["results"])))
    return None


def _lines(records: Iterable[_Record]) -> list[bytes]:
    return [each.to_line() for each in records if each.rows is not None]


def _append(file: Any, data: bytes, lines: Sequence[bytes]) -> None:
    if not lines:
        return
    # A line that a kill cut short must not swallow the next one.
    file.write((b"\n" if data and not data.endswith(b"\n") else b"") + b"".join(lines))
    file.flush()
    os.fsync(file.fileno())


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
