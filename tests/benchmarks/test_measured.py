"""Measurements that survive a stop."""

from __future__ import annotations

from pathlib import Path

from benchmarks.measured import Checkpoint


def test_a_finished_measurement_is_not_made_again(tmp_path: Path) -> None:
    path = tmp_path / "kept.jsonl"
    assert Checkpoint(path).measure_once("first", lambda: {"hits": "01"}) == {"hits": "01"}
    again = Checkpoint(path)
    assert "first" in again
    assert again.measure_once("first", lambda: 0) == again["first"] == {"hits": "01"}


def test_a_line_torn_by_a_kill_costs_only_its_measurement(tmp_path: Path) -> None:
    path = tmp_path / "kept.jsonl"
    Checkpoint(path).measure_once("first", lambda: 1)
    with path.open("a") as file:
        file.write('{"name": "second", "val')
    assert Checkpoint(path).measure_once("second", lambda: 2) == 2
    resumed = Checkpoint(path)
    assert (resumed["first"], resumed["second"]) == (1, 2)


def test_a_file_of_an_older_form_is_read(tmp_path: Path) -> None:
    path = tmp_path / "kept.json"
    path.write_text('{"first": 1, "second": [2]}')
    kept = Checkpoint(path)
    kept.measure_once("third", lambda: 3)
    resumed = Checkpoint(path)
    assert [resumed[name] for name in ("first", "second", "third")] == [1, [2], 3]
