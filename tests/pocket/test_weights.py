"""The weights are a distribution of their own, wanted in one version."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

import pytest

import langprog as lp
import langprog_pocket
from langprog.cli.main import run
from langprog.errors import ModelError
from langprog.pocket.models import WEIGHTS
from langprog.runtime import settings

ROOT = Path(__file__).parents[2]


def test_the_extra_and_the_code_want_the_version_that_is_here() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["optional-dependencies"]["pocket"] == [f"langprog-pocket=={WEIGHTS}"]
    assert langprog_pocket.__version__ == WEIGHTS


def test_where_they_are_absent_one_sentence_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    lp.save(lp.Predict("ticket -> team", model="pocket/small"), "team.json")
    monkeypatch.setattr(settings, "_process", settings._Process())  # as in a new process
    monkeypatch.setitem(sys.modules, "langprog_pocket", None)
    program = lp.load("team.json")  # to look at an artifact takes no model
    with pytest.raises(ModelError, match=r"pip install 'langprog\[pocket\]'"):
        program(ticket="no signal")
    assert run(["demo"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("langprog: the weights of pocket/* are not installed: pip install")


def test_those_of_another_version_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(langprog_pocket, "__version__", "0.9.0")
    with pytest.raises(ModelError, match=r"1\.0\.0, and 0\.9\.0 is installed: pip install"):
        lp.LM("pocket/small")
