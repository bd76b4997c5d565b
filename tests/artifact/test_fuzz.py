"""Mutants of artifacts load and render, or are refused in one clean line; nothing else happens."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from benchmarks import fuzz_artifacts
from benchmarks.fuzz_artifacts import Tally
from benchmarks.fuzz_judge import peak_memory
from benchmarks.fuzz_mutants import make_mutant
from benchmarks.fuzz_originals import list_places, make_originals
from langprog.artifact import read_artifact
from langprog.artifact.format import FORMAT
from langprog.modules.registry import kinds

ROOT = Path(__file__).parents[2]

# An audit hook stays for good, so that it is set in a process of its own.
ACTS = """
import json, os, subprocess, sys
from benchmarks import fuzz_judge
from benchmarks.fuzz_judge import Hang, Watch

def write(): open(sys.argv[1], "w").close()
def write_low(): os.close(os.open(sys.argv[1], os.O_WRONLY))
def run(): exec("1 + 1")
def shell(): os.system("true")
def start(): subprocess.run(["true"])
def remove(): os.remove(sys.argv[1])
def fork(): os.fork() or os._exit(0)

watch, heard = Watch(), []
for act in (write, write_low, run, shell, start, fork, remove):
    before = len(watch.acts)
    with watch.watch():
        act()
    heard.append(len(watch.acts) > before)
with watch.allow():
    exec("2 + 2")
with watch.watch():
    exec("2 + 2")
    open(os.devnull).close()
heard.append(not watch.acts)
fuzz_judge.LONGEST = 0.05
try:
    with watch.watch():
        while True:
            pass
except Hang:
    heard.append(True)
print(json.dumps(heard))
"""


def said_by(script: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        cwd=ROOT,
        check=True,
        timeout=300,
        capture_output=True,
        text=True,
    )
    return done.stdout


def test_mutants_are_refused_or_render_and_a_run_goes_on_where_it_was_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fuzz_artifacts, "CHUNK", 75)
    memory = peak_memory()  # other tests of this process have used some
    for mutants, before, after in ((75, 0, 1), (225, 1, 3)):
        run = fuzz_artifacts.Run(0, mutants, tmp_path / "done.json")
        assert len(run.tally.done) == before
        run.start(1)
        assert len(run.tally.done) == after and run.tally.outcomes.total() == mutants
    assert run.tally.troubles == {} and run.tally.memory < memory + 500
    # Both ends are reached: mutants that nobody would load show little.
    assert run.tally.outcomes["ArtifactError"] > 56 and run.tally.outcomes["rendered"] > 22


def test_what_no_mutant_may_do_is_heard(tmp_path: Path) -> None:
    assert json.loads(said_by(ACTS, str(tmp_path / "x"))) == [True] * 9


def test_a_mutant_is_decided_by_its_number() -> None:
    assert [make_mutant(3, number) for number in range(20)] == [
        make_mutant(3, n) for n in range(20)
    ]
    assert len({make_mutant(3, number) for number in range(200)}) > 150
    assert make_mutant(3, 1) != make_mutant(4, 1)


def test_every_kind_of_module_is_among_the_originals_of_both_formats(tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    formats, named = [], set()
    for text in make_originals():
        path.write_text(text)
        formats.append(read_artifact(path).format)
        named |= {part[key] for part, key in list_places(json.loads(text)) if key == "module"}
    old = formats.count(1)
    assert old > 20 and formats == [FORMAT] * (len(formats) - old) + [1] * old
    foreign = {"DSPyPredict", "DSPyProgram", "PromptTemplate"}  # of other libraries
    assert named >= {*kinds(), "user"} - foreign


def test_nights_add_up_and_trouble_is_an_exit_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(fuzz_artifacts, "RESULTS", tmp_path)
    good = Tally(Counter({"rendered": 4, "ArtifactError": 6}), {}, 70.4)
    bad = Tally(Counter({"rendered": 5}), {3: "hang: it hung"}, 80.0)
    assert fuzz_artifacts._end_night(good, 1) == 0
    assert fuzz_artifacts._end_night(bad, 2) == 1
    assert fuzz_artifacts._end_night(good, 1) == 0  # the same night again counts once
    assert "mutant 3 of seed 2: hang: it hung" in capsys.readouterr().out
    lines = (tmp_path / "fuzz_nights.csv").read_text().splitlines()
    assert lines == ["seed,mutants,troubles,megabytes", "2,5,1,80", "1,10,0,70"]
