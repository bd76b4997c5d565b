"""The process that runs queries: it is handed tables, and reads them.

It is run as a file of its own, with the standard library and duckdb alone, and is ended from
outside: duckdb cannot interrupt a single call of a function, and counts only a part of the memory
that it takes. Both ends speak JSON, one object a line.
"""

from __future__ import annotations

import json
import os
import queue
import sys
import threading
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import duckdb

MEBIBYTE = 2**20
SETTINGS: Mapping[str, str] = MappingProxyType(
    {"memory_limit": "256MB", "threads": "1", "temp_directory": ""}
)


def limit_memory(mebibytes: int) -> None:
    """Limit the memory of this process, where the system can."""
    try:
        import resource  # noqa: PLC0415 - not on Windows
    except ImportError:
        return
    resource.setrlimit(resource.RLIMIT_AS, (mebibytes * MEBIBYTE, mebibytes * MEBIBYTE))


def connect(options: dict[str, Any]) -> Any:
    """Return a connection to the tables, which is locked down."""
    path = options["database"]
    if path:
        connection = duckdb.connect(path, read_only=True, config={**SETTINGS})
    else:
        connection = duckdb.connect(":memory:", config={**SETTINGS})
    for statement in options["setup"]:
        connection.execute(statement)
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
    return connection


def refuse(connection: Any, sql: str) -> str:
    """Return why a query is not run; empty if it is."""
    try:
        statements = connection.extract_statements(sql)
    except duckdb.Error as error:
        return f"it cannot be read: {first_line(error)}"
    if len(statements) != 1:
        return f"it has {len(statements)} statements: write one"
    kind = statements[0].type
    if kind != duckdb.StatementType.SELECT:
        return f"it is a {kind.name} statement: only SELECT is allowed"
    return ""


def run(connection: Any, sql: str, options: dict[str, Any]) -> dict[str, Any]:
    """Return the rows of a query as text, or what is wrong with it."""
    cursor = connection.cursor()
    timer = threading.Timer(options["seconds"], cursor.interrupt)
    # Some statements that count as SELECT write, such as a WITH around an INSERT.
    cursor.execute("BEGIN TRANSACTION READ ONLY")
    timer.start()
    most = options["most"]
    try:
        rows = cursor.execute(sql).fetchmany(most + 1)
        names = [column[0] for column in cursor.description]
    except duckdb.InterruptException:
        return {"late": True}
    except duckdb.Error as error:
        return {"problem": f"it failed: {first_line(error)}"}
    finally:
        timer.cancel()
        cursor.close()
    lines = [", ".join(map(str, row)) for row in rows[:most]]
    text = "\n".join([", ".join(names), *lines])
    if len(text) > options["length"]:
        return {
            "problem": f"its result has more than {options['length']} characters: ask for less"
        }
    if len(rows) > most:
        text += f"\n(only the first {most} rows: there are more)"
    return {"rows": text}


def answer(connection: Any, sql: str, options: dict[str, Any]) -> dict[str, Any]:
    """Return what there is to say to a query."""
    try:
        problem = refuse(connection, sql)
        return {"problem": problem} if problem else run(connection, sql, options)
    except MemoryError:
        return {"problem": "it takes too much memory: ask for less"}


def first_line(error: Exception) -> str:
    """Return the beginning of what duckdb says."""
    return str(error).splitlines()[0][:300]


def read_lines(lines: queue.SimpleQueue[str]) -> None:
    """Hand lines on; end this process, whatever it does, when nobody writes any more."""
    for line in sys.stdin:
        lines.put(line)
    os._exit(0)


def say(message: dict[str, Any]) -> None:
    """Send an object."""
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def main() -> None:
    """Open the tables, and answer queries until the other end closes."""
    lines: queue.SimpleQueue[str] = queue.SimpleQueue()
    threading.Thread(target=read_lines, args=(lines,), daemon=True).start()
    options = json.loads(lines.get())
    limit_memory(options["memory"])
    try:
        connection = connect(options)
    except duckdb.Error as error:
        say({"problem": first_line(error)})
        return
    say({})
    while True:
        say(answer(connection, json.loads(lines.get()), options))


if __name__ == "__main__":
    main()
