"""The blocks of the guide for migrants run as they stand there."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import langprog as lp
from langprog.cli.main import run
from optimizers import Compiler
from tests.interop.dspy.toy import toy_model, words
from tests.test_guides import commands, run_python

PROGRAM = """
import dspy

program = dspy.Predict("question -> answer")


def metric(example, prediction, trace=None):
    return example.answer == prediction.answer
"""


def answer(name: str, inputs: Any, system: str, shown: int) -> str:
    """Know the answer where demonstrations are shown."""
    return inputs["question"][0] if shown else "?"


def test_the_blocks_of_the_guide_to_dspy_run(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    scripted_endpoint: Callable[[lp.ScriptedLM], str],
) -> None:
    pytest.importorskip("dspy")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LANGPROG_CACHE", "off")
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    model = toy_model(answer, "openai/gpt-6-luna")
    monkeypatch.setenv("OPENAI_BASE_URL", scripted_endpoint(model))
    Path("dspy_program.py").write_text(PROGRAM)
    rows = [lp.Example(question=word, answer=word[0]) for word in words(80)]
    Path("train.jsonl").write_text("".join(f"{json.dumps(dict(row.items()))}\n" for row in rows))
    hers: dict[str, Any] = {"__name__": "hers"}
    exec(compile(PROGRAM, "dspy_program.py", "exec"), hers)
    names = {"lp": lp, "Compiler": Compiler, "my_program": hers["program"], "trainset": rows}
    with lp.using(lm=model):
        run_python("dspy", names | {"metric": hers["metric"]})
    assert "certified: 0.000" in capsys.readouterr().out
    Path("state.json").write_text(Path("better.json").read_text())
    for line in commands("dspy"):
        if line[0] == "compile":  # a search has been run above
            line = [*line, "--optimizer", "labeled", "--accept", "best"]
        assert run(line) == 0, (line, capsys.readouterr().err)
    assert json.loads(Path("state.json").read_text())["demos"]
