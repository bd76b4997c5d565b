"""What was sent to a provider and what came back, in a file beside the output.

A SQLite database: each step is written down before the next one begins, so that a process killed
at any moment is followed by one that knows which batches there may be. Prompts are not in it,
replies are, until the output is complete.
"""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from langprog.errors import InputError
from langprog.lm import Cost, Setting

VERSION = 1
_TABLES = """
PRAGMA journal_mode = TRUNCATE;
BEGIN;
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS batches (
    tag TEXT PRIMARY KEY, model TEXT NOT NULL, requests INTEGER NOT NULL, file TEXT NOT NULL,
    batch TEXT NOT NULL, sent REAL NOT NULL, finished INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS requests (
    model TEXT NOT NULL, key TEXT NOT NULL, tag TEXT NOT NULL, tokens REAL NOT NULL,
    dollars REAL NOT NULL, PRIMARY KEY (model, key)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS requests_by_tag ON requests (tag);
CREATE TABLE IF NOT EXISTS answers (
    number INTEGER PRIMARY KEY, tag TEXT NOT NULL, model TEXT NOT NULL, key TEXT NOT NULL,
    status INTEGER NOT NULL, body TEXT NOT NULL, final INTEGER NOT NULL, calls REAL NOT NULL,
    tokens REAL NOT NULL, dollars REAL NOT NULL, UNIQUE (tag, key)
);
CREATE INDEX IF NOT EXISTS answers_by_key ON answers (model, key);
COMMIT;
"""


def state_path(target: Path) -> Path:
    """Return the state's path, given the output's."""
    return target.with_name(f"{target.name}.batches")


@dataclass(frozen=True, slots=True)
class SentBatch:
    """A batch that was sent, or was going to be.

    Args:
        tag: By which it is recognized at the provider.
        model: The model, as the state names it.
        requests: How many requests it has.
        file: The id of its uploaded file; empty if no upload was recorded, and so no batch exists.
        batch: Its id; empty if none was recorded, though it may exist.
        sent: When it was sent, in seconds since 1970.
    """

    tag: str
    model: str
    requests: int
    file: str = ""
    batch: str = ""
    sent: float = 0.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back for a request.

    Args:
        key: The request.
        status: The HTTP status.
        body: The reply's body.
        final: Whether asking again would change nothing.
        cost: What it cost; without tokens, the most that it can have cost is counted.
    """

    key: str
    status: int
    body: str
    final: bool
    cost: Cost


class BatchState:
    """The open state; may be used from several threads.

    Args:
        path: Its file; created if it does not exist.
        run: The identity of the run; empty to take any.

    Raises:
        InputError: The file is of another run, or not a state.
    """

    def __init__(self, path: Path, run: str = "") -> None:
        self.path = path
        try:
            self._lock = threading.RLock()
            self._base = sqlite3.connect(path, timeout=30.0, check_same_thread=False)
            self._base.executescript(_TABLES)
            self._check(run)
        except sqlite3.DatabaseError as error:
            raise InputError(
                f"--out: {path} is not a state of provider batches ({error}): move it away"
            ) from None

    def _check(self, run: str) -> None:
        version = self._fact("version")
        if version is not None and version != str(VERSION):
            raise InputError(
                f"--out: {self.path} was written by another version of langprog: finish it there"
            )
        known = self._fact("run")
        if run and known not in (None, run):
            raise InputError(
                f"--out: {self.path} has the batches of another run (another artifact, model or "
                "endpoint): finish or cancel those with their own command, or name another file"
            )
        if version is None:
            with self._lock, self._base:
                facts = [("version", str(VERSION)), ("run", run)]
                self._base.executemany("INSERT INTO facts VALUES (?, ?)", facts)

    def _fact(self, name: str) -> str | None:
        row = self._base.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])

    def _set_fact(self, name: str, value: str) -> None:
        with self._lock, self._base:
            self._base.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (name, value))

    # --- batches ---------------------------------------------------------------------------------

    def plan(self, tag: str, model: str, requests: Mapping[str, Cost]) -> SentBatch:
        """Record a batch before anything of it is sent.

        Args:
            tag: By which it will be recognized.
            model: The model.
            requests: The most that each request can cost, by key.
        """
        now = time.time()
        with self._lock, self._base:
            self._base.execute(
                "INSERT INTO batches VALUES (?, ?, ?, '', '', ?, 0)",
                (tag, model, len(requests), now),
            )
            self._base.executemany(
                "INSERT OR REPLACE INTO requests VALUES (?, ?, ?, ?, ?)",
                ((model, key, tag, most.tokens, most.dollars) for key, most in requests.items()),
            )
        return SentBatch(tag, model, len(requests), sent=now)

    def set_file(self, tag: str, file: str) -> None:
        """Record the uploaded file of a batch."""
        with self._lock, self._base:
            self._base.execute("UPDATE batches SET file = ? WHERE tag = ?", (file, tag))

    def set_batch(self, tag: str, batch: str) -> None:
        """Record the id of a batch."""
        with self._lock, self._base:
            self._base.execute("UPDATE batches SET batch = ? WHERE tag = ?", (batch, tag))

    def drop(self, tag: str) -> None:
        """Forget a batch of which nothing was answered: its requests are to be sent again."""
        with self._lock, self._base:
            self._base.execute("DELETE FROM requests WHERE tag = ?", (tag,))
            self._base.execute("DELETE FROM batches WHERE tag = ?", (tag,))

    def finish(self, tag: str) -> None:
        """Record that all replies of a batch are here."""
        with self._lock, self._base:
            self._base.execute("DELETE FROM requests WHERE tag = ?", (tag,))
            self._base.execute("UPDATE batches SET finished = 1 WHERE tag = ?", (tag,))

    def unfinished(self) -> list[SentBatch]:
        """Return the batches whose replies are not all here, oldest first."""
        rows = self._base.execute(
            "SELECT tag, model, requests, file, batch, sent FROM batches WHERE finished = 0 "
            "ORDER BY rowid"
        )
        return [SentBatch(*row) for row in rows]

    # --- requests and answers --------------------------------------------------------------------

    def is_sent(self, model: str, key: str) -> bool:
        """Return whether a request is in a batch that is not finished, and not answered yet."""
        found_row = self._base.execute(
            "SELECT 1 FROM requests WHERE model = ? AND key = ?", (model, key)
        )
        return found_row.fetchone() is not None

    def unanswered(self, tag: str) -> list[str]:
        """Return the requests of a batch that have no answer."""
        rows = self._base.execute("SELECT key FROM requests WHERE tag = ?", (tag,))
        return [key for (key,) in rows]

    def keep(self, sent: SentBatch, answers: Iterable[Answer]) -> list[Answer]:
        """Store answers of a batch in one step; return those that are new.

        Answers to requests that the batch does not have are ignored.
        """
        new = []
        with self._lock, self._base:
            for answer in answers:
                row = self._base.execute(
                    "SELECT tokens, dollars FROM requests WHERE model = ? AND key = ? AND tag = ?",
                    (sent.model, answer.key, sent.tag),
                ).fetchone()
                if row is None:
                    continue
                cost = answer.cost
                if cost.calls and not cost.tokens and answer.status == 200:
                    cost = Cost(1, row[0], row[1])
                self._base.execute(
                    "INSERT INTO answers VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    (sent.tag, sent.model, answer.key, answer.status, answer.body, answer.final)
                    + (cost.calls, cost.tokens, cost.dollars),
                )
                self._base.execute(
                    "DELETE FROM requests WHERE model = ? AND key = ?", (sent.model, answer.key)
                )
                new.append(answer)
        return new

    def answer(self, model: str, key: str) -> tuple[int, str] | None:
        """Return the status and the body of a request's final answer; ``None`` without one."""
        row = self._base.execute(
            "SELECT status, body FROM answers WHERE model = ? AND key = ? AND final = 1 "
            "ORDER BY number DESC LIMIT 1",
            (model, key),
        ).fetchone()
        return None if row is None else (int(row[0]), str(row[1]))

    def spoil(self, model: str, key: str) -> None:
        """Never return an answer again: it cannot be used, so the request is sent again."""
        with self._lock, self._base:
            self._base.execute(
                "UPDATE answers SET final = 0 WHERE model = ? AND key = ?", (model, key)
            )

    def forget_refusals(self) -> None:
        """Ask again what the endpoint has refused so far."""
        with self._lock, self._base:
            self._base.execute("UPDATE answers SET final = 0 WHERE status != 200")

    def paid(self) -> Cost:
        """Return what all answers have cost."""
        row = self._base.execute("SELECT SUM(calls), SUM(tokens), SUM(dollars) FROM answers")
        calls, tokens, dollars = row.fetchone()
        return Cost(calls or 0, tokens or 0, dollars or 0.0)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to come back to."""
        row = self._base.execute(
            "SELECT EXISTS (SELECT 1 FROM batches) OR EXISTS (SELECT 1 FROM answers)"
        )
        return not row.fetchone()[0]

    # --- dialects --------------------------------------------------------------------------------

    def refused(self, model: str) -> set[Setting]:
        """Return the settings that a model's endpoint is known to reject."""
        return set(json.loads(self._fact(f"refused {model}") or "[]"))

    def set_refused(self, model: str, settings: Iterable[str]) -> None:
        """Record the settings that a model's endpoint rejects."""
        self._set_fact(f"refused {model}", json.dumps(sorted(settings)))

    # --- the end ---------------------------------------------------------------------------------

    def close(self) -> None:
        """Close the file."""
        self._base.close()


def remove_state(path: Path) -> None:
    """Remove a closed state: the output is complete."""
    path.unlink(missing_ok=True)
    path.with_name(f"{path.name}-journal").unlink(missing_ok=True)


def reads_state(path: Path) -> bool:
    """Return whether a file is an existing state."""
    if not path.is_file():
        return False
    with closing(sqlite3.connect(path)) as base:
        try:
            return base.execute("SELECT COUNT(*) FROM batches").fetchone() is not None
        except sqlite3.DatabaseError:
            return False
