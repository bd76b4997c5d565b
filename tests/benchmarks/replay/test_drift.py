"""Drift on recorded answers: reading them, and counting queries."""

from __future__ import annotations

import json
import lzma
from pathlib import Path

import pytest

from benchmarks.replay.drift import PAIRS, load_answers, queries_to_alarm
from benchmarks.tasks.folder import data_folder


def test_answers_are_read_in_order(tmp_path: Path) -> None:
    assert load_answers(tmp_path) is None
    names = [name for pair in PAIRS.values() for name in pair]
    rows = [{"runs": {name: {"pred": pred} for name in names}} for pred in ("yes", None, "no")]
    (tmp_path / "llmdrift").mkdir()
    with lzma.open(tmp_path / "llmdrift" / "prime.jsonl.xz", "wt", encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)
    assert load_answers(tmp_path) == dict.fromkeys(names, ["yes", "None", "no"])


def test_a_change_is_counted_and_none_is_not() -> None:
    before = ["yes"] * 90 + ["no"] * 10
    count = queries_to_alarm(before, ["no"] * 100, 0)
    assert count is not None and count < 30
    assert queries_to_alarm(before, before, 0) is None


def test_gpt_4_of_june_is_not_that_of_march() -> None:
    folder = data_folder()
    answers = None if folder is None else load_answers(folder)
    if answers is None:
        pytest.skip("the answers of LLMDrift are not here: set LANGPROG_DATA")
    march, june = (answers[name] for name in PAIRS["GPT-4"])
    for seed in range(3):
        count = queries_to_alarm(march, june, seed)
        assert count is not None and count <= 60
