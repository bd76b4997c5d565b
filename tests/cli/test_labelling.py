"""``langprog label-next``: what it writes, and a kill."""

from __future__ import annotations

import json
import signal
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

import langprog as lp
from langprog.artifact import save_program
from langprog.cli.main import run
from tests.forking import COMPILING, Forked, Forking

ROWS = [{"ticket": f"question {at} about {at % 7}"} for at in range(40)]


class Endpoint:
    """Answers by the seed, counts, and kills a process at a chosen request."""

    def __init__(self) -> None:
        self.calls = self.kill_at = 0
        self.victim: Forked | None = None
        self.lock = threading.Lock()
        self.model = lp.ScriptedLM(self.answer, name="openai/scripted")

    def answer(self, request: lp.Request) -> str:
        with self.lock:
            self.calls += 1
            if self.victim is not None and self.calls == self.kill_at:
                self.victim.send_signal(signal.SIGKILL)
        return f"[[team]]\n{'ab'[(request.sampling.seed or 0) % 2]}"


@pytest.fixture
def endpoint(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    scripted_endpoint: Callable[[lp.ScriptedLM], str],
) -> Endpoint:
    endpoint = Endpoint()
    monkeypatch.setenv("OPENAI_BASE_URL", scripted_endpoint(endpoint.model))
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    monkeypatch.setenv("LANGPROG_CACHE", "off")
    monkeypatch.chdir(tmp_path)
    save_program(lp.Predict("ticket -> team", model="openai/scripted"), tmp_path / "a.json")
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    return endpoint


def choosing(out: str) -> list[str]:
    return f"label-next a.json --data rows.jsonl --n 8 --width 4 --out {out}".split()


def test_a_killed_choice_goes_on_and_pays_for_nothing_twice(
    endpoint: Endpoint, processes: Forking, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(choosing("whole.jsonl")) == 0
    said = capsys.readouterr()
    assert "8 rows to label: 4 chosen out of 20 that 4 candidates answered" in said.out
    assert "about 80 calls" in said.err
    whole = Path("whole.jsonl").read_text()
    rows = [json.loads(line) for line in whole.splitlines()]
    assert len(rows) == 8 and [row.get("train_only") for row in rows[3:5]] == [
        "chosen by label-next",
        None,
    ]
    total, endpoint.calls, endpoint.kill_at = endpoint.calls, 0, 40
    arguments = ["-m", "langprog", *choosing("killed.jsonl")]
    endpoint.victim = processes.start(arguments, imports=COMPILING, stderr=subprocess.PIPE)
    endpoint.victim.communicate()
    assert endpoint.victim.returncode == -signal.SIGKILL
    assert not Path("killed.jsonl").exists()
    endpoint.victim = None
    assert run(choosing("killed.jsonl")) == 0
    assert Path("killed.jsonl").read_text() == whole
    assert endpoint.calls <= total + 4  # what was in flight


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ("--data rows.jsonl --n 50 --out o.jsonl", "50 rows are to be chosen, and there are 40"),
        ("--data rows.jsonl --out o.csv", "written as JSONL"),
        ("--data none.jsonl --out o.jsonl", "--data: none.jsonl: there is no such file"),
        ("--data rows.jsonl --out o.jsonl --pool-from all", "write random or near"),
        ("--data labelled.jsonl --out o.jsonl", "--labelled FILE"),
    ],
)
def test_bad_input_is_told_before_anything_is_asked(
    options: str, says: str, endpoint: Endpoint, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("labelled.jsonl").write_text(json.dumps({"ticket": "x", "team": "a"}) + "\n")
    assert run(["label-next", "a.json", *options.split()]) == 2
    assert says in capsys.readouterr().err and endpoint.calls == 0


def test_labels_that_were_filled_in_are_never_written_over(
    endpoint: Endpoint, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(choosing("chosen.jsonl")) == 0 and run(choosing("chosen.jsonl")) == 0
    rows = [json.loads(line) for line in Path("chosen.jsonl").read_text().splitlines()]
    filled = "".join(json.dumps({**row, "team": "a"}) + "\n" for row in rows)
    Path("chosen.jsonl").write_text(filled)
    calls, data = endpoint.calls, Path("rows.jsonl").read_text()
    assert run(choosing("chosen.jsonl")) == 2
    assert "labels that were filled in" in capsys.readouterr().err
    assert run(choosing("rows.jsonl")) == 2
    assert "is the file that --data reads" in capsys.readouterr().err
    assert Path("chosen.jsonl").read_text() == filled and Path("rows.jsonl").read_text() == data
    Path("rules.py").write_text("def rule(row):\n    return 'a'\n")
    weakly = "label-weakly a.json --data rows.jsonl --voter rule=rules.py:rule --least 0 --out"
    assert run([*weakly.split(), "weak.jsonl"]) == 0 == run([*weakly.split(), "weak.jsonl"])
    for out in ("chosen.jsonl", "rows.jsonl"):
        assert run([*weakly.split(), out]) == 2
    assert "is the file that --data reads" in capsys.readouterr().err
    assert Path("chosen.jsonl").read_text() == filled and endpoint.calls == calls
