from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import langprog as lp
from langprog.cli.main import run
from langprog.errors import InputError
from langprog.interop import read_candidate

PROGRAM = lp.Pipeline(first=lp.Predict("a -> b"), second=lp.ChainOfThought("b -> c"))
CANDIDATE = {"first": "Say b.", "second.predict": "Say c\nslowly."}


def written(folder: Path, value: Any) -> Path:
    path = folder / "candidates.json"
    path.write_text(value if isinstance(value, str) else json.dumps(value))
    return path


def test_a_candidate_comes_back_as_it_was() -> None:
    program = lp.from_gepa(CANDIDATE, PROGRAM)
    assert lp.to_gepa(program) == CANDIDATE
    assert lp.to_gepa(lp.from_gepa({"first": "Say."}, program)) == {**CANDIDATE, "first": "Say."}
    alone = lp.from_gepa({"system_prompt": "Answer."}, lp.Predict("a -> b"))
    assert alone.predictors()["predict"].signature.instruction == "Answer."
    with pytest.raises(InputError, match="'third' is not a predictor .* first, second.predict"):
        lp.from_gepa({"third": "x", "first": "y"}, PROGRAM)


def test_the_best_of_a_result_is_read(tmp_path: Path) -> None:
    others = [{"first": "one"}, CANDIDATE, {"first": "three"}]
    assert read_candidate(written(tmp_path, CANDIDATE)) == CANDIDATE
    assert read_candidate(written(tmp_path, [CANDIDATE])) == CANDIDATE
    assert read_candidate(written(tmp_path, others), 2) == {"first": "three"}
    result = {"candidates": others, "val_aggregate_scores": [0.1, 0.9, 0.3]}
    assert read_candidate(written(tmp_path, result)) == CANDIDATE
    assert read_candidate(written(tmp_path, {**result, "best_idx": 0})) == {"first": "one"}
    assert read_candidate(written(tmp_path, result), 2) == {"first": "three"}


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("{", "candidates.json:1: it is not JSON"),
        ([], "it holds no candidates of GEPA"),
        ("3", "it holds no candidates of GEPA"),
        ({}, "a candidate is an object with a text"),
        ({"first": 3}, "the component 'first' is not a text"),
        ([{"first": "a"}, {"first": "b"}], "2 candidates and does not say which is the best"),
        ({"candidates": [{"first": "a"}], "best_idx": 4}, "there is no candidate 4"),
    ],
)
def test_a_file_of_another_kind_is_refused(tmp_path: Path, value: Any, said: str) -> None:
    with pytest.raises(InputError) as refused:
        read_candidate(written(tmp_path, value))
    assert said in str(refused.value)


def test_the_commands_take_candidates_in_and_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lp.save(PROGRAM, tmp_path / "a.json")
    path, out = str(written(tmp_path, [CANDIDATE, {"first": "x"}])), f"{tmp_path}/b.json"
    command = ["import", path, "--from", "gepa", "--out", out]
    assert run(command) == 2
    assert "needs --into" in capsys.readouterr().err
    command += ["--into", f"{tmp_path}/a.json"]
    assert run([*command, "--set", "candidate=one"]) == 2
    assert "candidate is a number from 0" in capsys.readouterr().err
    assert run([*command, "--set", "candidate=0"]) == 0
    assert lp.to_gepa(lp.load(out)) == CANDIDATE
    assert run(["export", out, "--as", "gepa", "--out", f"{tmp_path}/c.json"]) == 0
    assert json.loads((tmp_path / "c.json").read_text()) == CANDIDATE
