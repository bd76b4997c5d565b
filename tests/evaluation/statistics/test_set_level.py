from __future__ import annotations

import math
import random
from collections.abc import Sequence

import pytest

from langprog.errors import InputError
from langprog.evaluation import compare_sets

Said = tuple[str, str]  # truth and prediction


def macro_f1(rows: Sequence[Said]) -> float:
    shares = []
    for label in "ab":
        right = sum(truth == said == label for truth, said in rows)
        total = sum(truth == label for truth, _ in rows) + sum(said == label for _, said in rows)
        shares.append(2 * right / total if total else 0.0)
    return sum(shares) / 2


def said(source: random.Random, n: int, right: float) -> list[Said]:
    return [
        (truth, truth if source.random() < right else "ab"[truth == "a"])
        for truth in ("ab"[row % 3 == 0] for row in range(n))
    ]


def test_a_better_program_is_better() -> None:
    source = random.Random(0)
    before, after = said(source, 80, 0.5), said(source, 80, 0.9)
    result = compare_sets(macro_f1, before, after, draws=300)
    assert result.p_better <= 0.05 < result.p_worse
    assert result.interval[0] < result.difference < result.interval[1]
    assert result.approximate
    assert result.difference == pytest.approx(macro_f1(after) - macro_f1(before))


def test_equal_outputs_are_not_better() -> None:
    rows = said(random.Random(1), 30, 0.7)
    result = compare_sets(macro_f1, rows, rows, draws=100)
    assert result.p_better == result.p_worse == 1.0
    assert result.interval == (0.0, 0.0)


def test_false_claims_are_rare() -> None:
    source = random.Random(4)
    claims = 0
    for _ in range(150):
        before, after = said(source, 20, 0.7), said(source, 20, 0.7)
        claims += compare_sets(macro_f1, before, after, draws=60).p_better <= 0.05
    assert claims / 150 <= 0.1


def test_copies_are_exchanged_together() -> None:
    before, after = [("a", "b")] * 40, [("a", "a")] * 40
    copies = [row % 4 for row in range(40)]
    assert compare_sets(macro_f1, before, after, clusters=copies, draws=300).p_better > 0.02
    assert compare_sets(macro_f1, before, after, draws=300).p_better < 0.02


def test_wrong_data_are_refused() -> None:
    with pytest.raises(InputError, match="same number"):
        compare_sets(macro_f1, [("a", "a")], [])
    with pytest.raises(InputError, match="finite"):
        compare_sets(lambda rows: math.nan, [("a", "a")], [("a", "a")])
