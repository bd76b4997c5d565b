"""Scores that an artifact keeps, whatever stands in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import langprog as lp
from langprog.artifact import read_artifact, save_program
from optimizers.identity import metric_digest
from optimizers.porting.recorded import RecordedScores

ROW = lp.Example(a="1", b="2")


def metric(example: Any, prediction: Any) -> bool:
    return bool(example.b == prediction.b)


def read(tmp_path: Path, **evidence: Any) -> RecordedScores:
    known = {"metric": {"name": "metric", "digest": metric_digest(metric)}, **evidence}
    save_program(lp.Predict("a -> b", model="x/y"), tmp_path / "a.json", evidence=known)
    return RecordedScores.of(read_artifact(tmp_path / "a.json"), metric)


def test_the_score_is_that_of_the_program_that_shipped(tmp_path: Path) -> None:
    rows = [[ROW.digest[:16], 0.25, 0.75]]
    costs = {"cost_before": {"calls": 1, "tokens": 5, "dollars": None}}
    for verdict, score in (("certified", 0.75), ("uncertified", 0.75), ("original", 0.25)):
        known = read(tmp_path, rows=rows, certificate={"verdict": verdict, **costs})
        assert known.of_row(ROW) == score
        assert known.of_row(lp.Example(a="1", b="3")) is None
        assert (known.cost is not None) == (verdict == "original")
    known = read(tmp_path, port={"rows": rows})
    assert known.of_row(ROW) == 0.75


@pytest.mark.parametrize(
    "evidence",
    [
        {"rows": None},
        {"rows": "abc"},
        {"rows": [[1, 2, 3], ["x"], [ROW.digest[:16], 0.1, "1"], None]},
        {"rows": [[ROW.digest[:16], 0.5, 7.0]], "certificate": [1]},
        {"rows": [[ROW.digest[:16], 0.5, True]], "port": []},
        {"certificate": {"verdict": "certified", "cost_after": {"calls": "many"}}},
    ],
)
def test_what_is_no_score_is_none(tmp_path: Path, evidence: dict[str, Any]) -> None:
    known = read(tmp_path, **evidence)
    assert known.of_row(ROW) is None and known.missing and known.cost is None


def test_without_the_same_metric_there_is_no_score(tmp_path: Path) -> None:
    rows = [[ROW.digest[:16], 0.25, 0.75]]
    known = read(tmp_path, rows=rows, metric={"name": "f1", "digest": "0"})
    assert known.of_row(ROW) is None and "by another metric (f1)" in known.missing
    known = read(tmp_path, rows=rows, metric=3)
    assert known.of_row(ROW) is None
    lp.save(lp.Predict("a -> b", model="x/y"), tmp_path / "b.json")
    assert "no evidence" in RecordedScores.of(read_artifact(tmp_path / "b.json"), metric).missing
