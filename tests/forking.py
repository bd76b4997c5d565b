"""Processes forked from one that has imported what takes seconds.

They are real ones: they have a number, environment and streams of their own, and can be killed.
Run as a program, this is the process that they are forked from; it has a single thread. All of
them share one seed for the hashes of strings.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock, Thread
from typing import IO, Any

LIMIT = 300  # seconds that a process may take
# What the command line imports sooner or later, and what a compile does.
COMMAND_LINE = (
    *("langprog.cli.main", "langprog.cli.running", "langprog.batch", "langprog.lm.text_store"),
    *("aiohttp", "genai_prices.data"),
)
COMPILING = (*COMMAND_LINE, "optimizers", "optuna", "scipy.special")


class Forked:
    """A process; it has the methods of ``subprocess.Popen`` that tests need."""

    def __init__(self, parent: Forking, pid: int, streams: Sequence[IO[str] | None]) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self.stdout, self.stderr = streams
        self._parent = parent

    def send_signal(self, number: int) -> None:
        if self.returncode is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def poll(self) -> int | None:
        if self.returncode is None:
            self.returncode = self._parent.ask({"wait": self.pid, "options": os.WNOHANG})
        return self.returncode

    def wait(self) -> int:
        if self.returncode is None:
            self.returncode = self._parent.ask({"wait": self.pid, "options": 0})
        assert self.returncode is not None
        return self.returncode

    def communicate(self) -> tuple[str, str]:
        """Wait for its end; return what it wrote to the streams that are pipes."""
        errors: list[str] = []
        reader = Thread(target=lambda: errors.append(_read(self.stderr)))
        reader.start()
        output = _read(self.stdout)
        reader.join()
        self.wait()
        return output, errors[0]


def _read(stream: IO[str] | None) -> str:
    if stream is None:
        return ""
    with stream:
        return stream.read()


@dataclass(frozen=True)
class Forking:
    """A process that forks others, when it is asked to."""

    channel: socket.socket
    lock: Lock

    def ask(self, order: Mapping[str, Any], streams: Sequence[int] = ()) -> int | None:
        with self.lock:
            socket.send_fds(self.channel, [json.dumps(order).encode()], streams)
            answer: int | None = json.loads(self.channel.recv(2**16))
            return answer

    def start(
        self,
        arguments: Sequence[str],
        *,
        imports: Sequence[str] = (),
        folder: Path | None = None,
        environment: Mapping[str, str] | None = None,
        stdout: int = subprocess.DEVNULL,
        stderr: int | None = None,
    ) -> Forked:
        """Start a process.

        Args:
            arguments: As Python takes them: ``-m module``, ``-c code`` or a path, and more.
            imports: What to have imported before.
            folder: Where to run it.
            environment: Its environment.
            stdout: A file descriptor, ``subprocess.PIPE`` or ``subprocess.DEVNULL``.
            stderr: Like ``stdout``; None shares that of the tests.
        """
        ours: list[IO[str] | None] = []
        theirs: list[int] = []
        for stream in (stdout, 2 if stderr is None else stderr):
            if stream == subprocess.PIPE:
                reader, writer = os.pipe()
                ours.append(open(reader, encoding="utf-8"))
                theirs.append(writer)
            elif stream == subprocess.DEVNULL:
                ours.append(None)
                theirs.append(os.open(os.devnull, os.O_WRONLY))
            else:
                ours.append(None)
                theirs.append(os.dup(stream))
        order = {
            "arguments": list(arguments),
            "imports": list(imports),
            "folder": str(folder or Path.cwd()),
            "environment": dict(os.environ if environment is None else environment),
        }
        pid = self.ask(order, theirs)
        for descriptor in theirs:
            os.close(descriptor)
        assert pid is not None
        return Forked(self, pid, ours)


@contextmanager
def forking(*options: str, python: str = sys.executable, **environment: str) -> Iterator[Forking]:
    """Start a process for others to be forked from.

    Args:
        options: Those of Python.
        python: The interpreter.
        environment: What to add to the environment of what is imported.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    command = [python, *options, __file__, str(theirs.fileno())]
    with (
        subprocess.Popen(command, env={**os.environ, **environment}, pass_fds=[theirs.fileno()]),
        ours,
    ):
        theirs.close()
        yield Forking(ours, Lock())


def serve(channel: socket.socket) -> None:
    """Fork and wait, as asked, until nobody asks any more."""
    while True:
        message, streams, _, _ = socket.recv_fds(channel, 2**20, 2)
        if not message:
            return
        order = json.loads(message)
        if "wait" in order:
            pid, status = os.waitpid(order["wait"], order["options"])
            answer = os.waitstatus_to_exitcode(status) if pid else None
        else:
            for name in order["imports"]:
                importlib.import_module(name)
            gc.collect()
            gc.freeze()  # else a collection in a child copies all that was imported
            answer = os.fork()
            if not answer:
                channel.close()
                work(order, streams)
            for descriptor in streams:
                os.close(descriptor)
        channel.send(json.dumps(answer).encode())


def work(order: Mapping[str, Any], streams: Sequence[int]) -> None:
    signal.alarm(LIMIT)
    os.chdir(order["folder"])
    os.environ.clear()
    os.environ.update(order["environment"])
    for number, stream in enumerate((os.open(os.devnull, os.O_RDONLY), *streams)):
        os.dup2(stream, number)
        os.close(stream)
    code: Any = 1
    try:
        run(order["arguments"])
        code = 0
    except SystemExit as end:
        code = end.code or 0
    except BaseException:  # noqa: BLE001 - what Python does with it
        sys.excepthook(*sys.exc_info())
    if not isinstance(code, int):
        sys.stderr.write(f"{code}\n")
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # to tear down what the parent imported would take longest


def run(arguments: Sequence[str]) -> None:
    """Run what Python runs with these arguments."""
    option, *rest = arguments
    if option == "-m":
        sys.argv, sys.path[0] = rest, ""
        runpy.run_module(rest[0], run_name="__main__", alter_sys=True)
    elif option == "-c":
        sys.argv, sys.path[0] = ["-c", *rest[1:]], ""
        exec(rest[0], {"__name__": "__main__"})
    else:
        sys.argv, sys.path[0] = [*arguments], os.path.dirname(option)
        runpy.run_path(option, run_name="__main__")


if __name__ == "__main__":
    sys.path[0] = ""  # as with -m: nothing is imported from beside this file
    serve(socket.socket(fileno=int(sys.argv[1])))
