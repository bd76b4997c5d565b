"""Pairs of messages with the verdict of a hidden taste."""

from __future__ import annotations

from benchmarks.tasks.preferences import make_pairs


def test_pairs_differ_and_the_better_message_comes_first_about_half_of_the_time() -> None:
    pairs = make_pairs(100, 1)
    liked = {row[row.better] for row in pairs}
    other = {row["second" if row.better == "first" else "first"] for row in pairs}
    assert len(liked) > 90 and not liked & other
    assert 30 < sum(row.better == "first" for row in pairs) < 70


def test_a_seed_decides_them_and_more_of_them_begin_the_same() -> None:
    assert make_pairs(40, 1) == make_pairs(60, 1)[:40]
    assert make_pairs(40, 1) != make_pairs(40, 2)
