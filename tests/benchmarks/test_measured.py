"""Measurements that survive a stop."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import measured
from benchmarks.measured import Checkpoint, publish_row


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


def test_a_row_is_put_into_a_table_and_nothing_else_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measured, "RESULTS", tmp_path)
    path = tmp_path / "null.md"
    with pytest.raises(ValueError, match="no table of 2 columns"):
        publish_row("null", ("c", "3"), "by itself")
    head = "# Title\n\nHow.\n\n## First\n\n| name | n |\n| --- | --- |\n| a | 1 |\n| ab | 2 |\n"
    rest = "\n## Second\n\n| name | n |\n| --- | --- |\n| a | 9 |\n"
    path.write_text(head + rest)
    publish_row("null", ("c", "3"), "by itself")
    assert path.read_text() == f"{head}| c | 3 |\n\nc: by itself\n{rest}"
    publish_row("null", ("a", "4"), "again")
    publish_row("null", ("c", "5"), "once more")
    changed = head.replace("| a | 1 |", "| a | 4 |")
    assert path.read_text() == f"{changed}| c | 5 |\n\na: again\n\nc: once more\n{rest}"
