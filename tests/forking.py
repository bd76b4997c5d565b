"""Runs programs in processes forked from one that has imported what takes seconds."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

LOOP = """
import json, os, runpy, signal, sys

for line in sys.stdin:
    path, folder, environment = json.loads(line)
    child = os.fork()
    if not child:
        signal.alarm(120)
        os.chdir(folder)
        os.environ.update(environment)
        for number, name in enumerate(("stdout", "stderr"), start=1):
            os.dup2(os.open(name, os.O_CREAT | os.O_WRONLY | os.O_TRUNC), number)
        sys.argv, sys.path[0] = [path], os.path.dirname(path)
        code = 1
        try:
            runpy.run_path(path, run_name="__main__")
            code = 0
        except BaseException:
            sys.excepthook(*sys.exc_info())
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


@dataclass(frozen=True)
class Ended:
    """How a program ended, and what it wrote."""

    code: int
    stdout: str
    stderr: str


@dataclass(frozen=True)
class Forking:
    """A process that has imported what programs need."""

    process: subprocess.Popen[str]

    def run(self, path: Path, folder: Path, environment: Mapping[str, str]) -> Ended:
        """Run a program in a folder, where its output lies afterwards, too."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(json.dumps([str(path), str(folder), dict(environment)]) + "\n")
        self.process.stdin.flush()
        code = int(self.process.stdout.readline())
        return Ended(code, (folder / "stdout").read_text(), (folder / "stderr").read_text())


@contextmanager
def forking(
    imports: str, *options: str, python: str = sys.executable, **environment: str
) -> Iterator[Forking]:
    """Start a process that has the packages ``imports``, for programs to be forked from."""
    with subprocess.Popen(
        [python, *options, "-c", f"import {imports}\n{LOOP}"],
        env={**os.environ, **environment},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield Forking(process)
        assert process.stdin is not None
        process.stdin.close()
