"""The command line takes DSPy programs: compile, also after kill -9, evaluate, run, states."""

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
from langprog.cli.main import run
from langprog.lm import request_key
from tests.forking import COMPILING, Forked, Forking
from tests.interop.dspy.programs import answer, kind_of
from tests.interop.dspy.toy import toy_model, words

PROGRAM = """
import dspy


class Twice(dspy.Module):
    def __init__(self):
        super().__init__()
        self.first = dspy.ChainOfThought("word -> size: int")
        self.second = dspy.BestOfN(
            dspy.Predict("word, size: int -> kind"), N=2, threshold=1.0,
            reward_fn=lambda inputs, prediction: float(len(prediction.kind) > 1),
        )

    def forward(self, word):
        return self.second(word=word, size=self.first(word=word).size)


program = Twice()


def metric(example, prediction, trace=None):
    return example.kind == prediction.kind
"""
WIDTH = 4


class Counting:
    """A model that counts each request, and kills a process at a chosen one."""

    def __init__(self) -> None:
        self.seen: Counter[str] = Counter()
        self.victim: Forked | None = None
        self.kill_at = 0
        self._lock = threading.Lock()
        self._toy = toy_model(answer)
        self.model = lp.ScriptedLM(self._answer, name="openai/toy")

    def _answer(self, request: lp.Request) -> str:
        with self._lock:
            self.seen[request_key(self.model, request)] += 1
            if self.victim is not None and self.seen.total() == self.kill_at:
                self.victim.send_signal(signal.SIGKILL)
        script = self._toy._script
        assert callable(script)
        return str(script(request))


@pytest.fixture
def counting(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    scripted_endpoint: Callable[[lp.ScriptedLM], str],
) -> Counting:
    counting = Counting()
    monkeypatch.setenv("OPENAI_BASE_URL", scripted_endpoint(counting.model))
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    monkeypatch.setenv("LANGPROG_CACHE", "off")  # the journal alone has to do
    monkeypatch.chdir(tmp_path)
    Path("hers.py").write_text(PROGRAM)
    rows = [json.dumps({"word": word, "kind": kind_of(word)}) for word in words(44)]
    Path("train.jsonl").write_text("\n".join(rows[:24]) + "\n")
    Path("held.jsonl").write_text("\n".join(rows[24:]) + "\n")
    return counting


def compiling(out: str, width: int = WIDTH) -> list[str]:
    return (
        "compile hers.py:program --train train.jsonl --holdout held.jsonl "
        f"--metric hers.py:metric --lm openai/toy --calls 240 --out {out} --run-dir {out}.run "
        f"--width {width}"
    ).split()


def test_a_killed_compile_goes_on_and_pays_nothing_twice(
    counting: Counting, capsys: pytest.CaptureFixture[str], processes: Forking
) -> None:
    pytest.importorskip("dspy")
    assert run(compiling("whole.json")) == 0
    assert max(counting.seen.values()) == 1
    distinct = len(counting.seen)
    counting.seen.clear()
    counting.kill_at = distinct // 2
    counting.victim = processes.start(
        ["-m", "langprog", *compiling("killed.json")],
        imports=(*COMPILING, "dspy"),
        stderr=subprocess.PIPE,
    )
    _, errors = counting.victim.communicate()
    assert counting.victim.returncode == -signal.SIGKILL, errors
    assert not Path("killed.json").exists()
    counting.victim = None
    assert run(compiling("killed.json", 16)) == 0
    whole, killed = (json.loads(Path(f"{name}.json").read_text()) for name in ("whole", "killed"))
    assert killed["program"] == whole["program"]
    assert killed["evidence"]["certificate"] == whole["evidence"]["certificate"]
    # Only what was in flight at the kill may have been asked again.
    assert counting.seen.total() <= distinct + WIDTH

    # What came out is evaluated and run, with the program's file.
    capsys.readouterr()
    evaluate = ["eval", "killed.json", "--data", "held.jsonl", "--metric", "hers.py:metric"]
    assert run(evaluate) == 2
    assert "needs your DSPy program" in capsys.readouterr().err
    allowed = ["--allow", "hers"]
    assert run([*evaluate, *allowed]) == 0
    assert "on 20 rows" in capsys.readouterr().out
    assert run(["run", "killed.json", *allowed, "--input", '{"word": "a000"}']) == 0
    assert json.loads(capsys.readouterr().out)["kind"] == "vowel"

    # It can be compiled again, from where it is.
    again = (
        "recompile killed.json --allow hers --train train.jsonl --holdout held.jsonl --metric "
        "hers.py:metric --optimizer labeled --accept best --out again.json"
    )
    assert run(again.split()) == 0, capsys.readouterr().err
    first = json.loads(Path("again.json").read_text())["lineage"][0]
    assert first["digest"] == killed["digest"] and first["how"] == "compiled"
