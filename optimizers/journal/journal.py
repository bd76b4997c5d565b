"""The journal of a compile: every completed call and every decision, in one append-only file.

Each line of ``journal.jsonl`` is one JSON object:

- ``header``: identifies the compile; a different compile cannot resume from it.
- ``session``: the compile was started, or restarted after a kill, and with which metric and
  knobs: they may differ between sessions, as completions do not depend on them.
- ``call``: the key of a request and its completion.
- ``score``: what an evaluator said of a text on a workload.
- ``dialect``: the settings that a model's endpoint refuses, and the cost of testing it.
- ``decision``: a numbered decision of the search, kept for reports.

A compile is a deterministic function of its inputs and of the completions. A killed compile is run
again from the start with the completions from here: it makes the same decisions and pays for
nothing twice. Each line has a checksum; a damaged line loses only its own content. A line is
written to the operating system as soon as its call is done, so that a killed process loses none,
and a thread flushes lines to disk in groups.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from langprog.errors import InputError
from langprog.lm import (
    FROM_CACHE,
    Completion,
    Cost,
    Setting,
    completion_from_json,
    completion_to_json,
)
from optimizers.budget.meter import Meter
from optimizers.journal.file import JournalFile

FORMAT = 3
FILE = "journal.jsonl"
# What may change between sessions: completions are identified by their requests alone.
MAY_CHANGE = ("metric", "optimizer")


@dataclass(frozen=True, slots=True)
class EarlierSessions:
    """What earlier sessions of the same compile paid, before they were stopped."""

    sessions: int = 0
    paid: Cost = Cost()
    seconds: float = 0.0


class Journal:
    """Completed calls and decisions of one compile; a memo for ``langprog.lm.Recorded``.

    Args:
        run_dir: Folder of the file, created if needed; ``None`` keeps everything in memory.
        compile_of: What identifies this compile, by name.

    Raises:
        InputError: The folder cannot be written, is in use by another process, or holds the
            journal of a different compile.
    """

    def __init__(self, run_dir: str | os.PathLike[str] | None, compile_of: Mapping[str, str]):
        self.meter = Meter()
        self.path = None if run_dir is None else Path(run_dir) / FILE
        self.earlier = EarlierSessions()
        self.diverged_at: int | None = None
        self._calls: dict[str, Completion] = {}
        self._dialects: dict[tuple[str, str], frozenset[Setting]] = {}
        self._keeps_schema: dict[tuple[str, str], bool] = {}
        self._scores: dict[str, Any] = {}
        self._decisions: list[dict[str, Any]] = []
        self._known_decisions: dict[int, dict[str, Any]] = {}
        self.damaged = 0
        self._mutex = threading.Lock()
        self._started = time.monotonic()
        self._file: JournalFile | None = None
        if self.path is not None:
            self._open(self.path, compile_of)

    def _open(self, path: Path, compile_of: Mapping[str, str]) -> None:
        self._file = JournalFile(path)
        try:
            records = list(self._file.read())
            if records or self._file.damaged:
                self.damaged = self._file.damaged
                last = _check_compile(records, compile_of, path)
                self._replay(records[1:])
                if last != compile_of:
                    # With another metric or other knobs, the decisions may differ.
                    self._known_decisions = {}
            else:
                self._append({"kind": "header", "format": FORMAT, "compile": dict(compile_of)})
            self._append(
                {
                    "kind": "session",
                    "number": self.earlier.sessions + 1,
                    "compile": dict(compile_of),
                }
            )
            self._file.sync()
        except BaseException:
            self._file.close()
            raise

    def _replay(self, records: Sequence[Mapping[str, Any]]) -> None:
        sessions, seconds, at = 0, 0.0, 0.0
        paid = Cost()
        for record in records:
            try:
                if record["kind"] == "session":
                    sessions, seconds, at = sessions + 1, seconds + at, 0.0
                elif record["kind"] == "call":
                    completion = completion_from_json(record["completion"])
                    # Only what this session measures may be compared with its other calls.
                    origin = f"session {sessions}" if record["paid"] else FROM_CACHE
                    completion = replace(completion, timed_in=origin, priced_in=origin)
                    self._calls[record["key"]] = completion
                    at = max(at, float(record["at"]))
                    if record["paid"]:
                        paid += _cost(1, completion.usage.total_tokens, completion.dollars)
                elif record["kind"] == "dialect":
                    self._replay_dialect(record)
                    paid += _cost(record["calls"], record["tokens"], record["dollars"])
                elif record["kind"] == "score":
                    self._scores[record["key"]] = record["score"]
                elif record["kind"] == "decision":
                    number = int(record["number"])
                    later = [other for other in self._known_decisions if other >= number]
                    for other in later:
                        del self._known_decisions[other]
                    self._known_decisions[number] = dict(record)
            except (KeyError, TypeError, ValueError, AttributeError):
                self.damaged += 1
        # Each damaged line may have been a paid call.
        paid += Cost(self.damaged)
        self.earlier = EarlierSessions(sessions, paid, seconds + at)

    def _replay_dialect(self, record: Mapping[str, Any]) -> None:
        endpoint = (record["model"], record["endpoint"])
        self._dialects[endpoint] = frozenset(record["refused"])
        if record["schema"] is not None:
            self._keeps_schema[endpoint] = record["schema"]

    # --- calls ----------------------------------------------------------------------------------

    def get(self, key: str) -> Completion | None:
        """Return the completion of an earlier identical request, marked as cached."""
        with self._mutex:
            completion = self._calls.get(key)
        if completion is None:
            return None
        self.meter.count(key, completion)
        return replace(completion, cached=True)

    def put(self, key: str, completion: Completion) -> None:
        """Keep a completion; once this returns, killing the process does not lose it."""
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

    # --- scores of evaluators -------------------------------------------------------------------

    def get_score(self, key: str) -> Any:
        """Return the score of an earlier identical evaluation, or ``None``."""
        with self._mutex:
            return self._scores.get(key)

    def put_score(self, key: str, result: Any) -> None:
        """Keep a score, which is JSON."""
        with self._mutex:
            if key not in self._scores:
                self._scores[key] = result
                if self._file is not None:
                    self._append({"kind": "score", "key": key, "score": result})

    # --- dialects -------------------------------------------------------------------------------

    def knows_dialect(self, endpoint: tuple[str, str]) -> bool:
        """Return whether the dialect of (model, endpoint) is known."""
        return endpoint in self._dialects

    def refused_settings(self, endpoint: tuple[str, str]) -> frozenset[Setting]:
        """Return the settings rejected by ``endpoint``, a model's name and its address."""
        return self._dialects.get(endpoint, frozenset())

    def keeps_schema(self, endpoint: tuple[str, str]) -> bool | None:
        """Return whether (model, endpoint) follows a response schema; ``None`` if untested."""
        return self._keeps_schema.get(endpoint)

    def record_dialect(
        self,
        endpoint: tuple[str, str],
        refused: frozenset[Setting],
        completion: Completion | None = None,
        schema: bool | None = None,
    ) -> None:
        """Keep a dialect.

        Args:
            endpoint: Name of the model, and its endpoint.
            refused: All settings that it refuses.
            completion: The completion that the test paid for, if any.
            schema: Whether it followed a response schema, if that was tested.
        """
        with self._mutex:
            self._dialects[endpoint] = refused
            if schema is not None:
                self._keeps_schema[endpoint] = schema
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

    def record_decision(self, what: str, data: Mapping[str, Any]) -> None:
        """Write a decision, unless an earlier session has already written it."""
        number = len(self._decisions)
        record = {"kind": "decision", "number": number, "what": what, "data": dict(data)}
        # In the form in which it is read back, so that tuples and lists compare as equal.
        record = json.loads(json.dumps(record))
        self._decisions.append(record)
        known = self._known_decisions.get(number)
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
        """The decisions of this compile so far, oldest first, with ``what`` and ``data``."""
        return tuple(self._decisions)

    # --- the file -------------------------------------------------------------------------------

    def _append(self, record: Mapping[str, Any]) -> None:
        assert self._file is not None
        self._file.append(record)

    def close(self) -> None:
        """Flush everything to disk and unlock the folder."""
        if self._file is not None:
            self._file.close()


def _cost(calls: int, tokens: int, dollars: float | None) -> Cost:
    unpriced = calls if dollars is None else 0
    return Cost(calls, tokens, dollars or 0.0, unpriced=unpriced)


def _check_compile(
    records: Sequence[Mapping[str, Any]], compile_of: Mapping[str, str], path: Path
) -> Mapping[str, str]:
    """Return what identified the last session, if this compile may resume from it.

    Raises:
        InputError: It may not.
    """
    folder = path.parent
    header = records[0] if records else {}
    if header.get("kind") != "header" or header.get("format") != FORMAT:
        raise InputError(
            f"run_dir {str(folder)!r} holds a journal of another format, or a damaged one: "
            "choose another run_dir"
        )
    there = header["compile"]
    differing = [
        name
        for name in compile_of
        if name not in MAY_CHANGE and there.get(name) != compile_of[name]
    ]
    if differing:
        what = "; ".join(
            f"{name} ({there.get(name, 'none')} there, {compile_of[name]} here)"
            for name in differing
        )
        raise InputError(
            f"run_dir {str(folder)!r} holds a different compile: it differs in {what}. "
            "Choose another run_dir, or delete this one to start over"
        )
    sessions = [record["compile"] for record in records if record.get("kind") == "session"]
    last: Mapping[str, str] = sessions[-1] if sessions else there
    return last
