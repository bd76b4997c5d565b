"""``langprog port``: exit codes, what is said, and kills at any moment."""

from __future__ import annotations

import json
import signal
import subprocess
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

import langprog as lp
from langprog.artifact import read_artifact
from langprog.cli.main import run
from langprog.lm import request_key
from tests.forking import COMPILING, Forked, Forking

TEAMS = {"bill": "billing", "wifi": "network"}
WIDTH = 4


class Endpoint:
    """Two models: the old one knows the teams, the new one only where it is shown examples."""

    def __init__(self) -> None:
        self.seen: Counter[str] = Counter()
        self.victim: Forked | None = None
        self.kill_at = 0
        self.new_is_good = False
        self.addresses: dict[str, str] = {}
        self.lock = threading.Lock()
        self.old = lp.ScriptedLM(self.answer_old, name="openai/old")
        self.new = lp.ScriptedLM(self.answer_new, name="openai/new")

    def answer_old(self, request: lp.Request) -> str:
        self.count(self.old, request)
        return f"[[team]]\n{self.team(request)}"

    def answer_new(self, request: lp.Request) -> str:
        self.count(self.new, request)
        shown = any(message.role == "assistant" for message in request.messages)
        return f"[[team]]\n{self.team(request) if shown or self.new_is_good else 'nobody'}"

    def count(self, model: lp.ScriptedLM, request: lp.Request) -> None:
        with self.lock:
            self.seen[request_key(model, request)] += 1
            if self.victim is not None and self.seen.total() == self.kill_at:
                self.victim.send_signal(signal.SIGKILL)

    @staticmethod
    def team(request: lp.Request) -> str:
        last = str(request.messages[-1].content)
        return next((team for word, team in TEAMS.items() if word in last), "unknown")


@pytest.fixture
def endpoint(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    scripted_endpoint: Callable[[lp.ScriptedLM], str],
) -> Endpoint:
    endpoint = Endpoint()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    monkeypatch.setenv("LANGPROG_CACHE", str(tmp_path / "cache"))
    program = lp.Predict("ticket -> team", model="openai/old")
    lp.save(program, tmp_path / "a.json")
    rows = [
        {"ticket": f"fix {word} {i}", "team": team}
        for i in range(44)
        for word, team in TEAMS.items()
    ]
    (tmp_path / "data.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    endpoint.addresses = {
        "--old-base-url": scripted_endpoint(endpoint.old),
        "--base-url": scripted_endpoint(endpoint.new),
    }
    return endpoint


def command(endpoint: Endpoint, out: str, *more: str) -> list[str]:
    places = [part for pair in endpoint.addresses.items() for part in pair]
    return [
        *("port", "a.json", "--to", "openai/new", "--data", "data.jsonl", "--tolerance", "0.1"),
        *("--metric", "exact:team", "--out", f"{out}.json", "--run-dir", f"{out}.run"),
        *("--width", str(WIDTH), "--optimizer", "labeled", *places, *more),
    ]


def test_killed_in_test_and_compile_it_ends_as_if_undisturbed(
    tmp_path: Path, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch, processes: Forking
) -> None:
    assert run(command(endpoint, "whole")) == 0
    undisturbed, distinct = read_artifact("whole.json"), len(endpoint.seen)
    assert undisturbed.evidence is not None
    assert undisturbed.evidence["port"]["outcome"] == "mended"
    assert undisturbed.data.lineage[0].digest == read_artifact("a.json").digest
    assert max(endpoint.seen.values()) == 1 and distinct > 2 * 88
    endpoint.seen.clear()
    for moment in (70, 176 + 20):
        # The journals alone have to do.
        monkeypatch.setenv("LANGPROG_CACHE", str(tmp_path / f"cache {moment}"))
        endpoint.kill_at = moment
        arguments = ["-m", "langprog", *command(endpoint, "killed")]
        endpoint.victim = processes.start(arguments, imports=COMPILING, stderr=subprocess.PIPE)
        _, errors = endpoint.victim.communicate()
        assert endpoint.victim.returncode == -signal.SIGKILL, errors
        assert not (tmp_path / "killed.json").exists()
    monkeypatch.setenv("LANGPROG_CACHE", str(tmp_path / "last cache"))
    endpoint.victim = None
    assert run(command(endpoint, "killed")) == 0
    assert read_artifact("killed.json").digest == undisturbed.digest
    # Only what was in flight at a kill may have been asked again.
    assert endpoint.seen.total() <= distinct + 2 * 2 * WIDTH


def test_what_is_not_shown_exits_with_1_and_writes_nothing(
    endpoint: Endpoint, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(command(endpoint, "b", "--optimizer", "none")) == 1
    shown = capsys.readouterr()
    assert "openai/old -> openai/new" in shown.out and "worse: " in shown.out
    assert "no artifact was written" in shown.out and not Path("b.json").exists()
    assert "are the fewest" in shown.err
    assert run(command(endpoint, "b", "--optimizer", "none", "--accept", "best", "--json")) == 1
    data = json.loads(capsys.readouterr().out)
    assert data["outcome"] == "worse" and data["digest"] == read_artifact("b.json").digest
    assert data["old"]["score"]["mean"] == 1.0 and data["new"]["score"]["mean"] == 0.0


def test_a_safe_port_exits_with_0(endpoint: Endpoint, capsys: pytest.CaptureFixture[str]) -> None:
    endpoint.new_is_good = True
    assert run(command(endpoint, "b")) == 0
    assert "safe: " in capsys.readouterr().out
    assert read_artifact("b.json").model_names == ("openai/new",)
    assert run(["show", "b.json"]) == 0
    shown = capsys.readouterr().out
    assert (
        "openai/old -> openai/new" in shown
        and "safe: As it is, the program loses no more" in shown
    )
    assert "compiled by port from sha256:" in shown and "none:" not in shown


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--tolerance", "0.001"), "are the fewest"),
        (("--old", "new"), "--old 'new': write auto, recorded, live"),
        (("--to", "openai/other"), "write --to MODEL once"),
        (("--optimizer", "nothing"), "--optimizer 'nothing'"),
        (("--calls", "10"), "budget of 10 calls does not cover"),
        (("--data", "none.jsonl"), "none.jsonl"),
        (("--out", "nowhere/b.json"), "nowhere"),
        (("--old", "recorded"), "0 different inputs"),
        (("--journal", "nowhere"), "nowhere"),
    ],
)
def test_bad_input_is_one_sentence_and_costs_nothing(
    endpoint: Endpoint, capsys: pytest.CaptureFixture[str], more: tuple[str, ...], said: str
) -> None:
    assert run(command(endpoint, "b", *more)) == 2
    assert said in capsys.readouterr().err
    assert not endpoint.seen and not Path("b.json").exists()
