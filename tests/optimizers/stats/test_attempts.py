from __future__ import annotations

import json
import shutil
import threading
from pathlib import Path

import pytest

from optimizers.stats.attempts import FILE, Attempts

ROWS = [f"digest {n}" for n in range(10)]


def test_further_candidates_on_the_same_holdout_are_counted(tmp_path: Path) -> None:
    assert Attempts(tmp_path / "a").register(ROWS, "first") == 1
    assert Attempts(tmp_path / "b").register(ROWS, "second") == 2
    assert Attempts(tmp_path / "c").register(ROWS[9:] + ["new"], "third") == 3


def test_the_same_candidate_keeps_its_number(tmp_path: Path) -> None:
    for _ in range(3):
        assert Attempts(tmp_path / "a").register(ROWS, "first") == 1
        assert Attempts(tmp_path / "b").register(ROWS, "second") == 2


def test_the_order_of_the_rows_is_no_new_attempt(tmp_path: Path) -> None:
    assert Attempts(tmp_path / "a").register(ROWS, "first") == 1
    assert Attempts(tmp_path / "b").register(ROWS[::-1] + ROWS[:2], "first") == 1


def test_another_look_at_the_same_candidate_counts(tmp_path: Path) -> None:
    assert Attempts(tmp_path / "a").register(ROWS[:6], "first", "quality exact") == 1
    assert Attempts(tmp_path / "b").register(ROWS[:7], "first", "quality exact") == 2
    assert Attempts(tmp_path / "c").register(ROWS, "first", "quality exact") == 3
    assert Attempts(tmp_path / "d").register(ROWS, "first", "quality f1") == 4
    assert Attempts(tmp_path / "e").register(ROWS, "first", "quality exact") == 3


def test_another_holdout_starts_anew(tmp_path: Path) -> None:
    assert Attempts(tmp_path / "a").register(ROWS, "first") == 1
    assert Attempts(tmp_path / "a").register(["x", "y"], "second") == 1


def test_a_copied_folder_takes_its_attempts_along(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    for number, name in enumerate(["first", "second"], start=1):
        assert Attempts(here / "run").register(ROWS, name) == number
    there.mkdir()
    shutil.copytree(here / "run", there / "run")
    assert Attempts(there / "run").register(ROWS, "third") == 3
    assert Attempts(there / "other").register(ROWS, "fourth") == 4


def test_two_compiles_at_once_do_not_take_the_same_number(tmp_path: Path) -> None:
    numbers: list[int] = []

    def run(name: str) -> None:
        numbers.append(Attempts(tmp_path / name).register(ROWS, name))

    threads = [threading.Thread(target=run, args=(f"candidate {n}",)) for n in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(numbers) == list(range(1, 13))


def test_the_file_tells_nothing_about_the_rows_and_survives_damage(tmp_path: Path) -> None:
    Attempts(tmp_path / "a").register(ROWS, "first")
    path = tmp_path / FILE
    assert "digest" not in path.read_text()
    path.write_bytes(path.read_bytes() + b"\0\0nonsense\n")
    # A line that cannot be read may have been about these rows.
    assert Attempts(tmp_path / "a").register(ROWS, "second") == 3
    assert Attempts(tmp_path / "a").register(ROWS, "first") == 1


@pytest.mark.parametrize("cut", [1, 20])
def test_a_line_that_was_cut_short_hides_no_attempt(tmp_path: Path, cut: int) -> None:
    Attempts(tmp_path / "a").register(ROWS, "first")
    path = tmp_path / FILE
    path.write_bytes(path.read_bytes()[:-cut])
    shutil.rmtree(tmp_path / "a")
    assert Attempts(tmp_path / "b").register(ROWS, "second") == 2
    assert Attempts(tmp_path / "c").register(ROWS, "third") == 3
    assert Attempts(tmp_path / "b").register(ROWS, "second") == 2


def test_attempts_whose_salt_is_lost_still_count(tmp_path: Path) -> None:
    lines = [{"candidate": name, "rows": ["a1", "b2"]} for name in ("first", "second")]
    (tmp_path / FILE).write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert Attempts(tmp_path / "c").register(ROWS, "third") == 3


def test_attempts_of_earlier_versions_count(tmp_path: Path) -> None:
    new = Attempts(tmp_path / "a")
    new.register(ROWS, "first", "quality exact")
    record = json.loads((tmp_path / FILE).read_text())
    old = [{"salt": record["salt"]}, {"candidate": "first", "rows": record["rows"]}]
    shutil.rmtree(tmp_path / "a")
    (tmp_path / FILE).write_text("".join(json.dumps(line) + "\n" for line in old))
    assert Attempts(tmp_path / "b").register(ROWS, "second", "quality exact") == 2
    assert Attempts(tmp_path / "a").register(ROWS, "first", "quality exact") == 1


def test_without_a_folder_nothing_is_remembered(tmp_path: Path) -> None:
    attempts = Attempts(None)
    assert [attempts.register(ROWS, name) for name in ("a", "b")] == [1, 1]
    assert not attempts.are_kept and Attempts(tmp_path).are_kept
