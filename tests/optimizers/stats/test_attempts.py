from __future__ import annotations

import json
import shutil
import threading
from pathlib import Path

import pytest

from optimizers.stats.attempts import FILE, Attempt, Attempts, EarlierAttempt, Look

ROWS = [f"digest {n}" for n in range(10)]


def register(attempts: Attempts, rows: list[str], candidate: str, claim: str = "") -> int:
    return attempts.register(Attempt.on(rows, candidate, claim), rows)


def test_further_candidates_on_the_same_holdout_are_counted(tmp_path: Path) -> None:
    assert register(Attempts(tmp_path / "a"), ROWS, "first") == 1
    assert register(Attempts(tmp_path / "b"), ROWS, "second") == 2
    assert register(Attempts(tmp_path / "c"), ROWS[9:] + ["new"], "third") == 3


def test_the_same_candidate_keeps_its_number(tmp_path: Path) -> None:
    for _ in range(3):
        assert register(Attempts(tmp_path / "a"), ROWS, "first") == 1
        assert register(Attempts(tmp_path / "b"), ROWS, "second") == 2


def test_the_order_of_the_rows_is_no_new_attempt(tmp_path: Path) -> None:
    assert register(Attempts(tmp_path / "a"), ROWS, "first") == 1
    assert register(Attempts(tmp_path / "b"), ROWS[::-1] + ROWS[:2], "first") == 1


def test_another_look_at_the_same_candidate_counts(tmp_path: Path) -> None:
    assert register(Attempts(tmp_path / "a"), ROWS[:6], "first", "quality exact") == 1
    assert register(Attempts(tmp_path / "b"), ROWS[:7], "first", "quality exact") == 2
    assert register(Attempts(tmp_path / "c"), ROWS, "first", "quality exact") == 3
    assert register(Attempts(tmp_path / "d"), ROWS, "first", "quality f1") == 4
    assert register(Attempts(tmp_path / "e"), ROWS, "first", "quality exact") == 3


def test_another_holdout_starts_anew(tmp_path: Path) -> None:
    assert register(Attempts(tmp_path / "a"), ROWS, "first") == 1
    assert register(Attempts(tmp_path / "a"), ["x", "y"], "second") == 1


def test_a_copied_folder_takes_its_attempts_along(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    for number, name in enumerate(["first", "second"], start=1):
        assert register(Attempts(here / "run"), ROWS, name) == number
    there.mkdir()
    shutil.copytree(here / "run", there / "run")
    assert register(Attempts(there / "run"), ROWS, "third") == 3
    assert register(Attempts(there / "other"), ROWS, "fourth") == 4


def test_two_compiles_at_once_do_not_take_the_same_number(tmp_path: Path) -> None:
    numbers: list[int] = []

    def run(name: str) -> None:
        numbers.append(register(Attempts(tmp_path / name), ROWS, name))

    threads = [threading.Thread(target=run, args=(f"candidate {n}",)) for n in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(numbers) == list(range(1, 13))


def test_the_file_tells_nothing_about_the_rows_and_survives_damage(tmp_path: Path) -> None:
    register(Attempts(tmp_path / "a"), ROWS, "first")
    path = tmp_path / FILE
    assert "digest" not in path.read_text()
    path.write_bytes(path.read_bytes() + b"\0\0nonsense\n")
    # A line that cannot be read may have been about these rows.
    assert register(Attempts(tmp_path / "a"), ROWS, "second") == 3
    assert register(Attempts(tmp_path / "a"), ROWS, "first") == 1


@pytest.mark.parametrize("cut", [1, 20])
def test_a_line_that_was_cut_short_hides_no_attempt(tmp_path: Path, cut: int) -> None:
    register(Attempts(tmp_path / "a"), ROWS, "first")
    path = tmp_path / FILE
    path.write_bytes(path.read_bytes()[:-cut])
    shutil.rmtree(tmp_path / "a")
    assert register(Attempts(tmp_path / "b"), ROWS, "second") == 2
    assert register(Attempts(tmp_path / "c"), ROWS, "third") == 3
    assert register(Attempts(tmp_path / "b"), ROWS, "second") == 2


def test_attempts_whose_salt_is_lost_still_count(tmp_path: Path) -> None:
    lines = [{"candidate": name, "rows": ["a1", "b2"]} for name in ("first", "second")]
    (tmp_path / FILE).write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert register(Attempts(tmp_path / "c"), ROWS, "third") == 3


def test_attempts_of_earlier_versions_count(tmp_path: Path) -> None:
    new = Attempts(tmp_path / "a")
    register(new, ROWS, "first", "quality exact")
    record = json.loads((tmp_path / FILE).read_text())
    old = [{"salt": record["salt"]}, {"candidate": "first", "rows": record["rows"]}]
    shutil.rmtree(tmp_path / "a")
    (tmp_path / FILE).write_text("".join(json.dumps(line) + "\n" for line in old))
    assert register(Attempts(tmp_path / "b"), ROWS, "second", "quality exact") == 2
    assert register(Attempts(tmp_path / "a"), ROWS, "first", "quality exact") == 1


def test_without_a_folder_nothing_is_remembered(tmp_path: Path) -> None:
    attempts = Attempts(None)
    assert [register(attempts, ROWS, name) for name in ("a", "b")] == [1, 1]
    assert attempts.describe(1) and not Attempts(tmp_path).describe(1)


def test_attempts_in_the_lineage_count_once(tmp_path: Path) -> None:
    first, second = Attempt.on(ROWS, "first", ""), Attempt.on(ROWS, "second", "")
    known = {first.id: EarlierAttempt(1)}
    assert Attempts(None).register(second, ROWS, earlier=known) == 2
    assert Attempts(None).register(first, ROWS, earlier=known) == 1
    # Here the file has the same attempt, there it has another one.
    assert register(Attempts(tmp_path / "here" / "a"), ROWS, "first") == 1
    assert Attempts(tmp_path / "here" / "b").register(second, ROWS, earlier=known) == 2
    assert register(Attempts(tmp_path / "there" / "a"), ROWS, "other") == 1
    for _ in range(2):
        assert Attempts(tmp_path / "there" / "b").register(second, ROWS, earlier=known) == 3


def test_similar_rows_are_the_same_holdout_but_another_look(tmp_path: Path) -> None:
    upper = [row.upper() for row in ROWS]
    first, second = Attempt.on(ROWS, "first", ""), Attempt.on(upper, "first", "")
    assert Attempts(tmp_path / "a").register(first, ROWS, similar=ROWS) == 1
    assert Attempts(tmp_path / "b").register(second, upper, similar=ROWS) == 2


SEEN = [f'["{row}", 0, 0.0, 1.0]' for row in ROWS]
OTHER = [f'["{ROWS[0]}", 0, 1.0, 1.0]', *SEEN[1:]]


def settle(folder: Path, results: list[str], candidate: str = "first") -> int:
    """Return the number of an attempt with these results."""
    attempt = Attempt.on(ROWS, candidate, "")
    assert Attempts(folder).register(attempt, ROWS)
    return Attempts(folder).settle(attempt, ROWS, results)


def test_the_same_attempt_with_other_results_is_another_look(tmp_path: Path) -> None:
    for _ in range(2):
        assert settle(tmp_path / "a", SEEN) == 1
        assert settle(tmp_path / "b", SEEN[::-1]) == 1  # another folder, the same answers
    for _ in range(2):
        assert settle(tmp_path / "c", OTHER) == 2
        assert settle(tmp_path / "a", SEEN) == 1
    assert settle(tmp_path / "d", SEEN, "second") == 3
    assert "Ticket" not in (tmp_path / FILE).read_text()


def test_rows_that_have_scores_only_after_an_outage_are_no_other_look(tmp_path: Path) -> None:
    assert settle(tmp_path / "a", SEEN[:6]) == 1
    assert settle(tmp_path / "a", SEEN) == 1
    # Now all of them are known, and fewer would be other results.
    assert settle(tmp_path / "b", SEEN[:6]) == 2


def test_results_in_the_lineage_count_as_well(tmp_path: Path) -> None:
    attempt = Attempt.on(ROWS, "first", "")
    known = {attempt.id: EarlierAttempt(1, Look.of("salt", SEEN))}
    for run_dir in (None, tmp_path / "a"):
        assert Attempts(run_dir).settle(attempt, ROWS, SEEN, earlier=known) == 1
        assert Attempts(run_dir).settle(attempt, ROWS, OTHER, earlier=known) == 2


def test_a_line_of_results_that_was_cut_short_hides_nothing(tmp_path: Path) -> None:
    assert settle(tmp_path / "a", SEEN) == 1
    path = tmp_path / FILE
    path.write_bytes(path.read_bytes()[:-9])
    assert settle(tmp_path / "b", SEEN) == 1
    assert settle(tmp_path / "c", OTHER) == 3  # the damaged line may be another attempt


def test_the_number_of_an_attempt_is_expected_before_the_search(tmp_path: Path) -> None:
    here, there = Attempts(tmp_path / "a"), Attempts(tmp_path / "b")
    assert (here.expect(ROWS), Attempts(None).expect(ROWS)) == (1, 1)
    assert register(here, ROWS, "first") == 1
    assert (here.expect(ROWS), there.expect(ROWS), there.expect(["other"])) == (1, 2, 1)
    assert register(there, ROWS, "second") == 2
    assert (here.expect(ROWS), there.expect(ROWS)) == (1, 2)  # either resumes its own
    known = {"x": EarlierAttempt(1)}
    assert (there.expect(ROWS, earlier=known), Attempts(None).expect(ROWS, earlier=known)) == (
        3,
        2,
    )
