"""Run by ``make stranger``: the way of somebody who has never seen langprog, each step timed.

Usage: python3 tests/stranger.py [FOLDER]

From a clone of what is committed here, in a new folder with an environment of its own: the demo,
a program on data of one's own, and the artifact behind HTTP, asked with a key. It needs git, make
and Python, and what pip takes packages from; no key, no model of others.
"""

from __future__ import annotations

import json
import os
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[1]
PROGRAM = '''
from typing import Literal

import langprog as lp


class Route(lp.Signature):
    """Say who gets the message."""

    message: str = lp.Input()
    desk: Literal["red", "blue"] = lp.Output()


program = lp.Predict(Route)
'''
# Two desks whose names mean nothing: examples have to teach them.
PARTS = {
    "red": (
        ["invoice", "payment", "refund", "fee", "bill", "price"],
        ["my {} is wrong", "please send the {} again", "I do not understand the {}"],
    ),
    "blue": (
        ["internet", "router", "signal", "network", "wifi", "line"],
        ["the {} is down", "our {} is slow at night", "the {} broke yesterday"],
    ),
}
ENDINGS = ["", " since monday", ", please help", " in may", " today"]
COMPILE = (
    "compile desk.py:program --train messages.jsonl --metric exact:desk --lm pocket/small "
    "--calls 600 --optimizer bootstrap --out desk.json"
)


class Failed(Exception):
    """A step went wrong."""


class Walk:
    """Steps, each run, timed and told."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.times: list[tuple[str, float, float]] = []

    def step(self, name: str, take: Callable[[], str]) -> None:
        """Take a step; print what it was, how long it took and how its output ended."""
        tell(f"\n== {name}")
        started, worked = time.monotonic(), processor_time()
        said = take()
        seconds, busy = time.monotonic() - started, processor_time() - worked
        self.times.append((name, seconds, busy))
        for line in said.strip().splitlines()[-12:]:
            tell(f"   {line}")
        tell(f"   ({seconds:.0f} s)")

    def run(self, *command: str, folder: str = "langprog") -> str:
        """Run a command in the clone, or in another folder of the walk; return what it wrote."""
        done = subprocess.run(
            command, cwd=self.folder / folder, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise Failed(f"{' '.join(command)}: {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    def langprog(self, *words: str) -> str:
        """Run a command of langprog where the stranger's own files are."""
        return self.run(str(self.binary("langprog")), *words, folder="own")

    def binary(self, name: str) -> Path:
        """Return a program of the environment that ``make demo`` made."""
        return self.folder / "langprog" / ".venv" / "bin" / name

    def clone(self) -> str:
        return self.run("git", "clone", "--quiet", str(ROOT), "langprog", folder=".")

    def demo(self) -> str:
        said = self.run("make", "demo")
        return said.partition("\nInspect the compiled")[0]

    def compile_own(self) -> str:
        own = self.folder / "own"
        own.mkdir()
        (own / "desk.py").write_text(PROGRAM)
        rows = [
            {"message": form.format(word) + end, "desk": desk}
            for desk, (words, forms) in PARTS.items()
            for word in words
            for form in forms
            for end in ENDINGS
        ]
        (own / "messages.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
        return f"langprog {COMPILE}\n{self.langprog(*COMPILE.split())}"

    def ask(self) -> str:
        question = json.dumps({"message": "my invoice is wrong"})
        return self.langprog("run", "desk.json", "--input", question)

    def install_serve(self) -> str:
        return self.run(
            str(self.binary("python")),
            *"-m pip install --quiet --disable-pip-version-check -e .[serve]".split(),
        )

    def serve(self) -> str:
        """Serve the artifact with a key; ask with it, and without."""
        (self.folder / "own" / "keys").write_text("a-key-of-the-stranger\n")
        command = [str(self.binary("langprog")), "serve", "desk.json", "--port", "0"]
        with subprocess.Popen(
            [*command, "--keys", "keys"],
            cwd=self.folder / "own",
            stdout=subprocess.PIPE,
            text=True,
        ) as server:
            assert server.stdout is not None
            try:
                address = server.stdout.readline().strip()
                answers = [post(f"{address}/programs/desk", key) for key in (KEY, None)]
            finally:
                server.terminate()
        (with_key, answer), (without, refusal) = answers
        if (with_key, without) != (200, 401):
            raise Failed(f"with the key {with_key} {answer}, without it {without} {refusal}")
        return f"with the key: {with_key} {answer['outputs']}\nwithout: {without} {refusal}"


KEY = "a-key-of-the-stranger"


def processor_time() -> float:
    """Return the seconds of processors that all steps so far have taken."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def post(address: str, key: str | None) -> tuple[int, dict[str, object]]:
    """Ask a served program; return the status and the JSON."""
    headers = {"content-type": "application/json"}
    if key is not None:
        headers["authorization"] = f"Bearer {key}"
    body = json.dumps({"message": "the wifi is down"}).encode()
    try:
        with urllib.request.urlopen(urllib.request.Request(address, body, headers)) as reply:
            return reply.status, json.load(reply)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def tell(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> int:
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp(prefix="stranger-"))
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    walk = Walk(folder)
    try:
        walk.step("git clone", walk.clone)
        walk.step("make demo: install", lambda: walk.run("make", ".venv/installed"))
        walk.step("make demo: run", walk.demo)
        walk.step("langprog compile, on data of one's own", walk.compile_own)
        walk.step("langprog run", walk.ask)
        walk.step("pip install -e '.[serve]'", walk.install_serve)
        walk.step("langprog serve, with a key, and asked", walk.serve)
    except Failed as error:
        tell(str(error))
        return 1
    load = os.getloadavg()[0]
    tell(f"\nPython {platform.python_version()}, {os.cpu_count()} cores, load {load:.1f}")
    tell(" seconds  processor")
    total = [sum(each[place] for each in walk.times) for place in (1, 2)]
    for name, seconds, busy in (*walk.times, ("in all", *total)):
        tell(f"{seconds:8.0f} {busy:8.0f}   {name}")
    shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
