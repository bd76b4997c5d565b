"""``--lm``, ``--model`` and ``--base-url``: which models a command asks, and where."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import langprog as lp
from langprog.artifact import save_program
from langprog.cli.main import run

PROGRAM = """
import langprog as lp

program = lp.Predict("question -> answer")
fixed = lp.Predict("question -> answer", model="house/llama")


def judge(example, prediction):
    return lp.Predict("answer -> score: float")(answer=prediction.answer).score
"""
INPUT = ["--input", '{"question": "x"}']


def replying(request: lp.Request) -> str:
    asked = request.messages[0].content
    return "[[score]]\n1.0" if "[[score]]" in asked else "[[answer]]\nfour"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "questions", raising=False)  # of another test's folder
    monkeypatch.setenv("LANGPROG_CACHE", str(tmp_path / "cache"))
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "HOUSE_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    model = lp.LM("house/llama", base_url="https://models.example/v1")
    save_program(lp.Predict("question -> answer", model=model), tmp_path / "fixed.json")
    save_program(lp.Predict("question -> answer"), tmp_path / "open.json")
    save_program(lp.Predict("question -> answer", model="pocket/small"), tmp_path / "pocket.json")
    (tmp_path / "questions.py").write_text(PROGRAM)
    rows = [{"question": f"what is {number}", "answer": "four"} for number in range(60)]
    (tmp_path / "data.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return tmp_path


@pytest.fixture
def server(scripted_endpoint: Callable[[lp.ScriptedLM], str]) -> tuple[lp.ScriptedLM, str]:
    # An endpoint is asked for the name without a provider that is known, else for all of it.
    model = lp.ScriptedLM(replying, name="served/house/llama")
    return model, scripted_endpoint(model)


@pytest.fixture
def other(scripted_endpoint: Callable[[lp.ScriptedLM], str]) -> tuple[lp.ScriptedLM, str]:
    model = lp.ScriptedLM(replying, name="openai/other")
    return model, scripted_endpoint(model)


def test_an_artifacts_models_answer_where_the_user_says(
    place: Path, server: tuple[lp.ScriptedLM, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["run", "fixed.json", *INPUT]) == 2
    said = capsys.readouterr().err
    assert "house/llama" in said and "--base-url" in said
    assert run(["run", "fixed.json", *INPUT, "--base-url", server[1]]) == 0
    assert json.loads(capsys.readouterr().out) == {"answer": "four"}
    assert server[0].calls == 1


def test_a_model_is_asked_in_the_place_of_another(
    place: Path,
    other: tuple[lp.ScriptedLM, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    instead = ["--model", "house/llama=openai/other"]
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    assert run(["run", "fixed.json", *INPUT, *instead, "--base-url", other[1]]) == 0
    monkeypatch.setenv("OPENAI_BASE_URL", other[1])
    evaluated = ["--data", "data.jsonl", "--metric", "exact:answer", "--json"]
    assert run(["eval", "fixed.json", *evaluated, *instead]) == 0
    assert run(["eval", "questions.py:fixed", *evaluated, *instead]) == 0
    assert other[0].calls >= 61
    assert run(["run", "open.json", *INPUT, "--lm", "openai/other"]) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("fixed.json --lm openai/other", "write --model house/llama=openai/other"),
        ("fixed.json --model house/lama=openai/other", "it names 'house/llama'"),
        ("fixed.json --model openai/other", "write NAME=provider/model"),
        ("fixed.json --model house/llama=a/b --model house/llama=c/d", "given twice"),
        ("fixed.json --base-url nowhere", "base_url"),
        ("open.json --base-url http://127.0.0.1:9/v1", "no model to apply to"),
        ("pocket.json --base-url http://127.0.0.1:9/v1", "the program names 'pocket/small'"),
    ],
)
def test_what_would_change_nothing_is_refused(
    place: Path, capsys: pytest.CaptureFixture[str], arguments: str, words: str
) -> None:
    name, *options = arguments.split()
    assert run(["run", name, *INPUT, *options]) == 2
    said = capsys.readouterr().err
    assert words in said and said.count("\n") == 1


def test_lm_is_for_the_judge_where_every_module_names_its_model(
    place: Path, server: tuple[lp.ScriptedLM, str], capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["eval", "fixed.json", "--data", "data.jsonl", "--lm", "house/llama"]
    place_of = ["--model", "house/llama=house/llama", "--base-url", server[1]]
    assert run([*arguments, "--metric", "exact:answer", *place_of]) == 2
    assert "--lm house/llama would not be used" in capsys.readouterr().err
    assert run([*arguments, "--metric", "questions.py:judge", *place_of]) == 0
    assert "--lm house/llama applies to the metric only" in capsys.readouterr().err


@pytest.mark.parametrize(
    "options",
    [
        "questions.py:fixed --optimizer labeled",
        "questions.py:program --optimizer labeled --lm house/llama",
        "questions.py:fixed --optimizer labeled --model house/llama=house/llama",
        "questions.py:program --optimizer selector --lm house/llama --models house/llama",
    ],
)
@pytest.mark.parametrize("command", ["compile", "estimate"])
def test_a_compile_asks_every_model_at_the_address(
    place: Path, server: tuple[lp.ScriptedLM, str], command: str, options: str
) -> None:
    out = ["--out", "out.json"] if command == "compile" else []
    common = ["--train", "data.jsonl", "--metric", "exact:answer", "--base-url", server[1], *out]
    assert run([command, *options.split(), *common, "--calls", "900"]) in (0, 1)
    assert server[0].calls
    if command == "compile":
        assert run(["run", "out.json", *INPUT, "--base-url", server[1]]) == 0
