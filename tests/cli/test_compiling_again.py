"""``langprog compile`` of an artifact, and on a holdout that was used before."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

import langprog as lp
from langprog.artifact import read_artifact
from langprog.cli.main import run
from tests.conftest import served
from tests.optimizers.simulated import answers, tickets

PROGRAM = """
import langprog as lp
from tests.optimizers.simulated import Triage

program = lp.Predict(Triage, model="vllm/x", adapter="chat")


def shaky(example, prediction):
    if example.ticket.startswith("ticket 3 "):
        raise ValueError("no")
    return 1.0
"""


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    Path("mine_again.py").write_text(PROGRAM)
    lines = [json.dumps(example.to_dict()) for example in tickets(120)]
    Path("old.jsonl").write_text("\n".join(lines[:60]))
    Path("all.jsonl").write_text("\n".join(lines))
    with served(lp.ScriptedLM(answers(), name="vllm/x")) as base_url:
        monkeypatch.setenv("VLLM_BASE_URL", base_url)
        yield tmp_path


def compiles(program: str, train: str, out: str, *more: str) -> int:
    options = f"--train {train} --metric exact:team --optimizer labeled --accept best --out {out}"
    return run(["compile", program, *options.split(), *more])


def attempts(artifact: str) -> list[tuple[int, float]]:
    records = read_artifact(artifact).data.compiles
    tried = [record.attempt for record in records if record.attempt is not None]
    return [(each.number, each.level) for each in tried]


def test_attempts_are_counted_for_all_artifacts_of_a_folder() -> None:
    assert compiles("mine_again.py:program", "old.jsonl", "a.json") == 0
    # The same compile under another name is the same attempt, and costs nothing.
    assert compiles("mine_again.py:program", "old.jsonl", "b.json") == 0
    assert compiles("mine_again.py:program", "old.jsonl", "c.json", "--seed", "1") == 0
    assert [attempts(f"{name}.json") for name in "abc"] == [
        [(1, 0.04)],
        [(1, 0.04)],
        [(2, pytest.approx(0.02 / 6))],
    ]


def test_an_artifact_is_compiled_again_on_rows_that_did_not_choose_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert compiles("mine_again.py:program", "old.jsonl", "a.json") == 0
    where = ["--model", "vllm/x=vllm/x", "--seed", "1"]
    assert compiles("a.json", "all.jsonl", "b.json", *where) == 0
    said = capsys.readouterr()
    assert "examples of the trainset were used by an earlier compile" in " ".join(
        (said.out + said.err).split()
    )
    newest, oldest = read_artifact("b.json").data.compiles
    assert newest.parent == read_artifact("a.json").digest and oldest.parent is None
    assert attempts("b.json") == [(1, 0.04), (1, 0.04)]
    assert run(["show", "b.json"]) == 0
    shown = capsys.readouterr().out
    assert "LabeledFewShot has used 18 train, 24 validation, 18 holdout (attempt 1)" in shown
    estimated = ["estimate", "a.json", "--train", "all.jsonl", "--metric", "exact:team", *where]
    assert run(estimated) == 0


@pytest.mark.parametrize(
    ("metric", "more", "code", "said"),
    [
        ("macro_f1:team", [], 0, "macro_f1(team)"),
        ("matthews:team", [], 0, "matthews(team)"),
        ("macro_f1", [], 2, "write macro_f1:FIELD"),
        ("mine_again.py:shaky", [], 2, "no"),
        ("mine_again.py:shaky", ["--max-errors", "1"], 0, "on 59 rows, 1 without a score"),
    ],
)
def test_eval_knows_the_built_in_metrics_and_bears_errors_of_a_metric(
    metric: str, more: list[str], code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["eval", "mine_again.py:program", "--data", "old.jsonl", "--metric", metric]
    assert run([*command, *more]) == code
    told = capsys.readouterr()
    assert said in told.out + told.err
