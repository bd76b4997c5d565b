"""``langprog recompile``: from an artifact to a better one, also after kill -9."""

from __future__ import annotations

import json
import signal
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

import langprog as lp
from langprog.artifact import read_artifact
from langprog.cli.main import run
from tests.forking import COMPILING, Forked, Forking

TEAMS = {"bill": "billing", "wifi": "network"}
WIDTH = 4


class Endpoint:
    """A model that needs an example; counts requests, and kills a process at a chosen one."""

    def __init__(self) -> None:
        self.calls, self.kill_at = 0, 0
        self.victim: Forked | None = None
        self._lock = threading.Lock()
        self.model = lp.ScriptedLM(self._answer, name="openai/m")

    def _answer(self, request: lp.Request) -> str:
        with self._lock:
            self.calls += 1
            if self.victim is not None and self.calls == self.kill_at:
                self.victim.send_signal(signal.SIGKILL)
        last = str(request.messages[-1].content)
        shown = any(message.role == "assistant" for message in request.messages)
        right = next((team for word, team in TEAMS.items() if word in last), "unknown")
        return f"[[team]]\n{right if shown else 'nobody'}"


@pytest.fixture
def endpoint(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    scripted_endpoint: Callable[[lp.ScriptedLM], str],
) -> Endpoint:
    endpoint = Endpoint()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAI_BASE_URL", scripted_endpoint(endpoint.model))
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    monkeypatch.setenv("LANGPROG_CACHE", str(tmp_path / "cache"))
    lp.save(lp.Predict("ticket -> team", model="openai/m"), tmp_path / "a.json")
    rows = [
        {"ticket": f"fix {word} {i}", "team": team}
        for i in range(30)
        for word, team in TEAMS.items()
    ]
    (tmp_path / "data.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return endpoint


def command(out: str, *more: str) -> list[str]:
    return [
        *("recompile", "a.json", "--train", "data.jsonl", "--metric", "exact:team"),
        *("--optimizer", "labeled", "--width", str(WIDTH), "--canaries", "3"),
        *("--out", f"{out}.json", "--run-dir", f"{out}.run", *more),
    ]


def test_killed_while_it_records_canaries_it_ends_as_if_undisturbed(
    endpoint: Endpoint, capsys: pytest.CaptureFixture[str], processes: Forking
) -> None:
    assert run(command("whole")) == 0
    assert "certified: " in capsys.readouterr().out
    whole, calls = read_artifact("whole.json"), endpoint.calls
    assert whole.data.lineage[0].digest == read_artifact("a.json").digest
    assert [len(row["runs"]) for row in whole.data.canary] == [4, 4, 4]
    endpoint.calls, endpoint.kill_at = 0, calls - 5
    endpoint.victim = processes.start(
        ["-m", "langprog", *command("killed")], imports=COMPILING, stderr=subprocess.PIPE
    )
    _, errors = endpoint.victim.communicate()
    assert endpoint.victim.returncode == -signal.SIGKILL, errors
    assert not Path("killed.json").exists()
    endpoint.victim = None
    assert run(command("killed")) == 0
    assert read_artifact("killed.json").digest == whole.digest
    # Only what was in flight at the kill was asked again, although the cache is on.
    assert calls <= endpoint.calls <= calls + WIDTH
    assert run(["verify", "killed.json"]) == 0
    assert "no drift found: 3 new runs" in capsys.readouterr().out
    # What the journal has is not paid again; what the endpoint accepts is tried out anew.
    endpoint.calls = 0
    replayed = command("again", "--journal", "whole.run", "--canaries", "0")
    assert run(replayed) == 0 and endpoint.calls == 1


@pytest.mark.parametrize(
    ("artifact", "more", "said"),
    [
        ("programs.tickets:Team", (), "recompile takes an artifact, compile a program"),
        ("data.jsonl", (), "data.jsonl"),
        ("a.json", ("--journal", "none"), "journal 'none/journal.jsonl' cannot be read"),
        ("a.json", ("--canaries", "2000"), "canaries"),
    ],
)
def test_bad_input_is_2_and_nothing_is_paid(
    endpoint: Endpoint,
    artifact: str,
    more: tuple[str, ...],
    said: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    arguments = command("b", *more)
    arguments[1] = artifact
    assert run(arguments) == 2
    assert said in capsys.readouterr().err
    assert endpoint.calls == 0 and not Path("b.json").exists()
