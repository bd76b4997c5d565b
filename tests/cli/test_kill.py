"""kill -9 or Ctrl-C at any moment: the same command goes on, pays for nothing twice."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

import langprog as lp
from langprog.artifact import save_program
from langprog.cli.main import run
from langprog.lm import request_key
from tests.forking import COMPILING, Forked, Forking

PROGRAM = """
import langprog as lp

program = lp.Pipeline(team=lp.Predict("ticket -> team"), mood=lp.Predict("ticket -> mood"))


def metric(example, prediction):
    return (example.team == prediction.team) / 2 + (example.mood == prediction.mood) / 2
"""
TEAMS, MOODS = {"bill": "billing", "wifi": "network"}, {"now": "angry", "please": "calm"}
WIDTH = 4


class Endpoint:
    """Answers, counts every request, and signals a process at a chosen one."""

    def __init__(self) -> None:
        self.seen: Counter[str] = Counter()
        self.victim: Forked | None = None
        self.kill_at = 0
        self.signal = signal.SIGKILL
        self.lock = threading.Lock()
        self.model = lp.ScriptedLM(self.answer, name="openai/scripted")

    def answer(self, request: lp.Request) -> str:
        with self.lock:
            self.seen[request_key(self.model, request)] += 1
            if self.victim is not None and self.seen.total() == self.kill_at:
                self.victim.send_signal(self.signal)
        system, last = request.messages[0].content, request.messages[-1].content
        wanted = system.rsplit("\n", 1)[-1]
        if "[[instruction]]" in wanted:
            return "[[instruction]]\nLook at the words of the ticket."
        if "[[summary]]" in wanted:
            return "[[summary]]\nTickets."
        field, words = ("team", TEAMS) if "[[team]]" in wanted else ("mood", MOODS)
        if len(request.messages) < 4:
            return f"[[{field}]]\n{next(iter(words.values()))}"
        # A turn that asks for another form of the reply has no ticket in it.
        known = (value for word, value in words.items() if word in last)
        return f"[[{field}]]\n{next(known, next(iter(words.values())))}"


@pytest.fixture
def endpoint(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    scripted_endpoint: Callable[[lp.ScriptedLM], str],
) -> Endpoint:
    endpoint = Endpoint()
    monkeypatch.setenv("OPENAI_BASE_URL", scripted_endpoint(endpoint.model))
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    monkeypatch.setenv("LANGPROG_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "mine", raising=False)  # that of an earlier test
    (tmp_path / "mine.py").write_text(PROGRAM)
    rows = [
        {"ticket": f"{mood_word} fix {word} {i}", "team": team, "mood": mood}
        for i in range(6)
        for word, team in TEAMS.items()
        for mood_word, mood in MOODS.items()
    ]
    (tmp_path / "data.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return endpoint


def compiling(out: str, width: int = WIDTH) -> list[str]:
    return (
        f"compile mine.py:program --train data.jsonl --metric mine.py:metric --lm openai/scripted "
        f"--calls 200 --out {out}.json --run-dir {out}.run --width {width}"
    ).split()


Start = Callable[[list[str]], Forked]


@pytest.fixture
def start(processes: Forking) -> Start:
    """Return a function that starts the command line in a process of its own."""

    def command(arguments: list[str]) -> Forked:
        arguments = ["-m", "langprog", *arguments]
        return processes.start(arguments, imports=COMPILING, stderr=subprocess.PIPE)

    return command


def finished(process: Forked) -> int:
    _, errors = process.communicate()
    assert process.returncode in (0, -signal.SIGKILL), errors
    return process.returncode


def digest(path: Path) -> str:
    return str(json.loads(path.read_text())["digest"])


def test_killed_at_three_moments_it_ends_as_if_undisturbed(
    tmp_path: Path, endpoint: Endpoint, start: Start
) -> None:
    assert run(compiling("whole")) == 0
    undisturbed, distinct = digest(tmp_path / "whole.json"), len(endpoint.seen)
    assert max(endpoint.seen.values()) == 1
    endpoint.seen.clear()
    for moment in (distinct // 5, distinct // 2, distinct * 4 // 5):
        shutil.rmtree(tmp_path / "cache")  # the journal alone has to do
        endpoint.kill_at = moment
        endpoint.victim = start(compiling("killed"))
        assert finished(endpoint.victim) == -signal.SIGKILL
        assert not (tmp_path / "killed.json").exists()
    shutil.rmtree(tmp_path / "cache")
    endpoint.victim = None
    assert run(compiling("killed", 16)) == 0
    assert digest(tmp_path / "killed.json") == undisturbed
    # Only what was in flight at a kill may have been asked again: two steps of each example.
    assert endpoint.seen.total() <= distinct + 3 * 2 * WIDTH


def test_ctrl_c_says_how_to_go_on(tmp_path: Path, endpoint: Endpoint, start: Start) -> None:
    endpoint.kill_at, endpoint.signal = 60, signal.SIGINT
    endpoint.victim = start(compiling("stopped"))
    _, errors = endpoint.victim.communicate()
    assert endpoint.victim.returncode == 130
    *_, last = errors.strip().splitlines()
    assert last == "langprog: interrupted; run the same command again to continue"
    assert "Traceback" not in errors
    shutil.rmtree(tmp_path / "cache")
    endpoint.victim = None
    assert run(compiling("stopped")) == 0
    assert endpoint.seen.total() <= len(endpoint.seen) + 2 * WIDTH


def test_a_killed_batch_goes_on_where_it_stopped(
    tmp_path: Path, endpoint: Endpoint, start: Start
) -> None:
    save_program(lp.Predict("ticket -> team", model="openai/scripted"), tmp_path / "a.json")
    rows = [json.dumps({"ticket": f"wifi {i}"}) for i in range(60)]
    (tmp_path / "in.jsonl").write_text("\n".join(rows) + "\n")

    def batch(out: str) -> list[str]:
        return f"run a.json --batch in.jsonl --out {out} --width {WIDTH}".split()

    assert run(batch("whole.jsonl")) == 0
    endpoint.seen.clear()
    shutil.rmtree(tmp_path / "cache")
    endpoint.kill_at = 30
    endpoint.victim = start(batch("killed.jsonl"))
    assert finished(endpoint.victim) == -signal.SIGKILL
    written = len((tmp_path / "killed.jsonl").read_bytes().splitlines())
    assert 0 < written < len(rows)
    endpoint.victim = None
    shutil.rmtree(tmp_path / "cache")
    assert run(batch("killed.jsonl")) == 0
    killed, whole = (
        sorted((tmp_path / name).read_text().splitlines())
        for name in ("killed.jsonl", "whole.jsonl")
    )
    assert killed == whole
    # A row is written as soon as it is done: nothing is asked again but what was in the air.
    assert endpoint.seen.total() <= len(rows) + WIDTH
