from __future__ import annotations

from pathlib import Path

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


def test_another_holdout_starts_anew(tmp_path: Path) -> None:
    assert Attempts(tmp_path / "a").register(ROWS, "first") == 1
    assert Attempts(tmp_path / "a").register(["x", "y"], "second") == 1


def test_the_file_tells_nothing_about_the_rows_and_survives_damage(tmp_path: Path) -> None:
    Attempts(tmp_path / "a").register(ROWS, "first")
    path = tmp_path / FILE
    assert "digest" not in path.read_text()
    path.write_bytes(path.read_bytes() + b"\0\0nonsense\n[1]\n")
    assert Attempts(tmp_path / "a").register(ROWS, "second") == 2
    assert Attempts(tmp_path / "a").register(ROWS, "first") == 1


def test_without_a_folder_nothing_is_remembered(tmp_path: Path) -> None:
    attempts = Attempts(None)
    assert [attempts.register(ROWS, name) for name in ("a", "b")] == [1, 1]
