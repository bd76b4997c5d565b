"""What holds for every ready-made program; a new file in programs/ falls under it by itself."""

from __future__ import annotations

import importlib
import inspect
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import langprog as lp
from benchmarks.programs.scripted import has_script, load_script
from langprog.cli.main import run
from langprog.runtime import run_sync
from programs import list_programs

PROGRAMS = {info.name: info for info in list_programs()}
# What an extra installs; without it, a program is only listed.
MODULES = {"sql": "duckdb"}
ROWS = 15  # five each for train, validation and holdout
EMBEDDED = "pocket/small"


@pytest.fixture(params=PROGRAMS)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def file(name: str) -> ModuleType:
    for need in PROGRAMS[name].needs:
        if need in MODULES:
            pytest.importorskip(MODULES[need])
        elif need.startswith("bubblewrap") and shutil.which("bwrap") is None:
            pytest.skip(need)
    return importlib.import_module(f"programs.{name}")


@pytest.fixture
def model(name: str) -> Iterator[None]:
    """The program's model as the ambient one: scripted, or embedded."""
    scripted = has_script(name)
    with lp.using(lm=lp.ScriptedLM(load_script(name)) if scripted else EMBEDDED):
        yield


def outputs_of(program: lp.Module, row: lp.Example) -> dict[str, Any]:
    """What the labels say: everything in a row that is not an input."""
    return {key: value for key, value in row.to_dict().items() if key not in program.input_names()}


def score(metric: Callable[..., Any], row: lp.Example, values: dict[str, Any]) -> float:
    value = metric(row, lp.Prediction(**values))
    if inspect.isawaitable(value):
        value = run_sync(value)
    return float(value.value if isinstance(value, lp.Score) else value)


def test_the_docstring_says_what_it_is_for_and_what_it_follows(
    name: str, file: ModuleType
) -> None:
    info = PROGRAMS[name]
    assert info.summary.endswith(".") and len(info.summary) < 90
    assert file.__doc__ and "\nFollows: " in file.__doc__
    assert "Differs: " in " ".join(file.__doc__.split())
    assert info.needs == tuple(vars(file).get("NEEDS", ()))


def test_its_examples_have_what_it_takes_and_are_the_same_each_time(file: ModuleType) -> None:
    rows = file.examples()
    names = set(file.program.input_names())
    assert len(rows) >= ROWS and list(rows) == list(file.examples())
    for row in rows:
        given = row.to_dict()
        assert {each for each in names if file.program.needs_input(each)} <= given.keys()
        assert given.keys() - names, "a row without labels"
    inputs = {
        json.dumps({key: row.to_dict().get(key) for key in sorted(names)}, default=str)
        for row in rows
    }
    assert len(inputs) == len(rows)


def test_the_metric_tells_the_labels_of_a_row_from_those_of_another(file: ModuleType) -> None:
    rows = file.examples()[:ROWS]
    own, others = [], []
    for row, other in zip(rows, [*rows[1:], rows[0]], strict=True):
        own.append(score(file.metric, row, outputs_of(file.program, row)))
        others.append(score(file.metric, row, outputs_of(file.program, other)))
    assert own == [1.0] * len(rows)
    assert all(0.0 <= value <= 1.0 for value in others) and min(others) < 1.0


def test_it_compiles_and_runs_from_its_artifact_on_the_command_line(
    name: str, file: ModuleType, model: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, out = tmp_path / "rows.jsonl", tmp_path / f"{name}.json"
    rows = file.examples()[:ROWS]
    data.write_text("".join(json.dumps(row.to_dict()) + "\n" for row in rows))
    # A program without predictors has a text of its own to set.
    search = "labeled --set k=2" if file.program.predictors() else "evolve --set rounds=2"
    command = f"compile programs.{name}:program --optimizer {search} --accept best"
    assert run([*command.split(), "--train", str(data), "--out", str(out)]) == 0
    labels = outputs_of(file.program, rows[0])
    given = {key: value for key, value in rows[0].to_dict().items() if key not in labels}
    capsys.readouterr()
    allowed = ["--allow", f"programs.{name}"]
    assert run(["run", str(out), "--input", json.dumps(given), *allowed]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer and 0.0 <= score(file.metric, rows[0], answer) <= 1.0


def test_it_survives_being_saved(name: str, file: ModuleType, tmp_path: Path) -> None:
    path = tmp_path / "saved.json"
    lp.save(file.program, path)
    again = lp.load(path, allow_modules=[f"programs.{name}"])
    lp.save(again, tmp_path / "again.json")
    saved, twice = (json.loads(each.read_text()) for each in (path, tmp_path / "again.json"))
    assert saved["program"] == twice["program"]
    assert list(again.predictors()) == list(file.program.predictors())


def test_the_command_line_lists_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["programs", "--json"]) == 0
    listed = {info["name"]: info["summary"] for info in json.loads(capsys.readouterr().out)}
    assert listed == {name: info.summary for name, info in PROGRAMS.items()}
