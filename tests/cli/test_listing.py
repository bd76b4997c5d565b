from __future__ import annotations

import json
from pathlib import Path

import pytest

import langprog as lp
from langprog.cli.main import run
from programs import list_programs

OWN = """
import langprog as lp

program = lp.Predict("ticket -> team")


def metric(example, prediction):
    return example.team == prediction.team


def examples():
    return [{"ticket": "the bill", "team": "billing"}, {"ticket": "the wifi", "team": "network"}]
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "with_data.py").write_text(OWN)
    (tmp_path / "without_data.py").write_text(OWN.partition("\n\n\ndef metric")[0])
    (tmp_path / "strange_data.py").write_text(f"{OWN}\n\nrows = 3\ndef none():\n    return []\n")
    return tmp_path


def test_the_programs_are_listed_with_what_they_need(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["programs"]) == 0
    shown = capsys.readouterr().out
    for info in list_programs():
        assert info.name in shown


def test_a_program_brings_its_own_metric_and_examples(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with lp.using(lm=lp.ScriptedLM(lambda request: "[[team]]\nbilling")):
        assert run(["eval", "with_data.py:program", "--json"]) == 0
        report = json.loads(capsys.readouterr().out)
        assert (report["metric"], report["mean"]) == ("metric", 0.5)
        lp.save(lp.Predict("ticket -> team"), "saved.json")
        data = ["--data", "with_data.py:examples", "--metric", "with_data.py:metric", "--json"]
        assert run(["eval", "saved.json", *data]) == 0
        assert json.loads(capsys.readouterr().out)["mean"] == 0.5


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["without_data.py:program"], "--metric is left out, and PROGRAM: without_data.py has no"),
        (
            ["without_data.py:program", "--metric", "exact:team"],
            "--data is left out, and PROGRAM: without_data.py has no 'examples'",
        ),
        (["saved.json"], "--metric is missing: only a program that is written package.module:"),
        (
            ["with_data.py:program", "--data", "strange_data.py:rows"],
            "--data: strange_data.py:rows must be a function that returns examples",
        ),
        (["with_data.py:program", "--data", "strange_data.py:none"], "--data: strange_data.py"),
    ],
)
def test_what_is_left_out_and_not_there_is_named(
    place: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    lp.save(lp.Predict("ticket -> team"), "saved.json")
    assert run(["eval", *arguments]) == 2
    assert said in capsys.readouterr().err
