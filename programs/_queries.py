"""Tables that are queried in a process of their own, which ends where a query takes too much."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import weakref
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from langprog.errors import InputError

WORKER = Path(__file__).with_name("_query_worker.py")
# Seconds beyond its time in which a query is to end by itself, and in which a process starts.
GRACE, START = 1.0, 60.0


class _Ended(Exception):
    """The process has ended."""


class _Late(_Ended):
    """The process was ended, as it gave no answer in time."""


class _Process:
    """A process that runs queries.

    Args:
        options: What it is handed.

    Raises:
        InputError: The tables cannot be opened.
    """

    def __init__(self, options: dict[str, Any]) -> None:
        self.owner = os.getpid()
        # -P: this file's folder has modules with names of the standard library.
        self._process = subprocess.Popen(
            [sys.executable, "-P", str(WORKER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
        )
        self._end = weakref.finalize(self, _end, self._process, self.owner)
        try:
            problem = self.ask(options, START).get("problem")
        except _Ended:
            problem = "the process for its queries does not start"
        if problem:
            self._end()
            place = options["database"] or "the database"
            raise InputError(f"{place} cannot be opened: {problem}")

    def ask(self, message: Any, seconds: float) -> dict[str, Any]:
        """Send a message and return the answer.

        Raises:
            _Ended: There is none; the process has ended.
        """
        late, process = threading.Event(), self._process

        def end() -> None:  # without self: a timer that ends late would keep the process
            late.set()
            process.kill()

        timer = threading.Timer(seconds, end)
        timer.start()
        line = ""
        try:
            assert self._process.stdin is not None and self._process.stdout is not None
            self._process.stdin.write(json.dumps(message) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except OSError:
            pass  # it has ended: there is no line
        finally:
            timer.cancel()
        if not line.endswith("\n"):
            self._end()
            raise _Late if late.is_set() else _Ended
        answer: dict[str, Any] = json.loads(line)
        return answer


def _end(process: subprocess.Popen[str], owner: int) -> None:
    if owner == os.getpid():
        process.kill()
        process.wait()
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            try:
                stream.close()
            except OSError:
                pass  # what was not written has no reader


@dataclass
class Tables:
    """Tables that are queried and not changed.

    Args:
        database: Path of a duckdb file; empty for tables in memory.
        setup: Statements that make the tables in memory.
        seconds: How long a query may take.
        most: Rows of a result that are read; the text says so where there are more.
        length: Characters that the text of a result may have.
        memory: Address space of the process that runs the queries, in MiB.

    Raises:
        InputError: duckdb is not installed, or the file cannot be opened.
    """

    database: str = ""
    setup: Sequence[str] = ()
    seconds: float = 5.0
    most: int = 50
    length: int = 20_000
    memory: int = 2048
    runs: int = field(default=0, init=False)
    _known: dict[str, tuple[str, str]] = field(default_factory=dict, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)
    _process: _Process | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        if find_spec("duckdb") is None:
            raise InputError("table_qa needs the duckdb package: pip install 'langprog[sql]'")
        self._open()

    def query(self, sql: str) -> tuple[str, str]:
        """Return the rows of a query as text, and what is wrong with it; one of them is empty.

        Args:
            sql: The query; one that was run before is not run again.
        """
        key = _normalize(sql)
        with self._lock:
            if key in self._known:
                return self._known[key]
            answer = self._run(sql)
            if "unsure" in answer:  # is not kept: on a machine less busy it may end
                return "", answer["unsure"]
            result = (answer.get("rows", ""), answer.get("problem", ""))
            self._known[key] = result
            return result

    def _run(self, sql: str) -> dict[str, Any]:
        self.runs += 1
        process = self._open()
        late = {"unsure": f"it took longer than {self.seconds:g} s: ask for less"}
        try:
            answer = process.ask(sql, self.seconds + GRACE)
        except _Late:
            self._process = None
            return late
        except _Ended:
            self._process = None
            return {"unsure": "it ended the process, as too much memory does: ask for less"}
        return late if "late" in answer else answer

    def _open(self) -> _Process:
        # A fork has pipes that lead to its parent's process.
        if self._process is None or self._process.owner != os.getpid():
            names = ("database", "setup", "seconds", "most", "length", "memory")
            self._process = _Process({name: getattr(self, name) for name in names})
        return self._process


def _normalize(sql: str) -> str:
    # Spaces count inside quotes, and a line's end ends a comment.
    literal = any(mark in sql for mark in ("'", '"', "$", "--", "/*"))
    return (sql.strip() if literal else " ".join(sql.split())).rstrip("; ")
