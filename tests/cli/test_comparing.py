"""``langprog compare`` on programs and artifacts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from langprog.cli.main import run

FILE = """
import langprog as lp


def answering(right):
    def reply(request):
        number = int(str(request.messages[-1].content).rpartition("row ")[2].split()[0])
        return f"[[y]]\\n{int(number % 10 < right)}"

    return lp.Predict("x -> y: int", model=lp.ScriptedLM(reply, name=f"scripted/{right}"))


bad, good, also_good = answering(4), answering(9), answering(9)


def is_one(example, prediction):
    return prediction.y == 1
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("compared")
    (folder / "mine_compared.py").write_text(FILE)
    lines = [json.dumps({"x": f"row {n} ", "y": 1}) for n in range(70)]
    (folder / "rows.jsonl").write_text("\n".join(lines))
    return folder


@pytest.fixture
def place(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(folder)
    return folder


def command(first: str, second: str, *more: str) -> list[str]:
    names = [f"mine_compared.py:{name}" for name in (first, second)]
    metric = ["--metric", "mine_compared.py:is_one"]
    return ["compare", *names, "--data", "rows.jsonl", *metric, *more]


def test_better_worse_and_neither(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(command("bad", "good")) == 0
    said = capsys.readouterr().out
    assert "finding: better" in said and "better?" in said and "35 better" in said
    assert run(command("good", "bad")) == 1
    assert "finding: worse" in capsys.readouterr().out
    assert run(command("good", "also_good")) == 0
    assert "finding: cannot tell" in capsys.readouterr().out


def test_json_has_the_claims(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ("--objective", "cost", "--tolerance", "0.05", "--json")
    assert run(command("good", "also_good", *options)) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["n"] == 70 and data["tolerance"] == 0.05
    assert [claim["name"] for claim in data["tested"]] == ["not worse", "cheaper", "worse"]
    assert [claim["holds"] for claim in data["tested"]] == [True, False, False]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--objective", "speed"), "--objective 'speed': write quality, cost, latency"),
        (("--tolerance", "-0.1"), "tolerance"),
        (("--data", "none.jsonl"), "none.jsonl"),
    ],
)
def test_bad_input_is_one_sentence(
    place: Path, capsys: pytest.CaptureFixture[str], more: tuple[str, ...], said: str
) -> None:
    assert run(command("bad", "good", *more)) == 2
    error = capsys.readouterr().err
    assert said in error and len(error.splitlines()) == 1
