"""Starts the command line many times, without importing it each time: reads commands, and forks.

Run as a process of its own that has a single thread. Each line of its input is a JSON list, the
arguments; for each, it prints the number of the new process, and then its exit code. What the
first new process imports is imported for those after it.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import sys
from contextlib import suppress
from pathlib import Path

from langprog.cli.main import run

IMPORTED = Path("imported.json")


def work(arguments: list[str]) -> None:
    log = os.open("stderr.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 2)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    code = run(arguments)
    IMPORTED.write_text(json.dumps(list(sys.modules)))
    sys.stderr.flush()
    os._exit(code)  # to tear down what the parent imported would take longest


def import_all() -> None:
    for name in json.loads(IMPORTED.read_text()):
        with suppress(ImportError):
            importlib.import_module(name)
    IMPORTED.unlink()


if __name__ == "__main__":
    gc.disable()  # a collection would copy the parent's memory
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            work(json.loads(line))
        print(child, flush=True)  # noqa: T201 - how it answers
        _, status = os.waitpid(child, 0)
        if IMPORTED.exists():
            import_all()
        print(os.waitstatus_to_exitcode(status), flush=True)  # noqa: T201 - how it answers
