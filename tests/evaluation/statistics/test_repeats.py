from __future__ import annotations

import random
from itertools import combinations

import pytest

from langprog.errors import InputError
from langprog.evaluation import pass_hat, split_variance


def test_sampling_is_told_from_rows() -> None:
    source = random.Random(2)
    rows = [
        [middle + source.gauss(0, 0.2) for _ in range(4)]
        for middle in (source.gauss(0.5, 0.1) for _ in range(3000))
    ]
    spread = split_variance(rows)
    assert spread.within == pytest.approx(0.04, rel=0.05)
    assert spread.between == pytest.approx(0.01, rel=0.15)
    assert spread.share_within == pytest.approx(0.8, abs=0.03)
    assert spread.error == pytest.approx(((0.01 + 0.04 / 4) / 3000) ** 0.5, rel=0.05)


def test_rows_that_always_score_the_same_have_no_variance_within() -> None:
    spread = split_variance([[1, 1, 1], [0, 0, 0], [1, 1, 1]])
    assert spread.within == 0 and spread.between == pytest.approx(1 / 3)
    assert split_variance([[1, 1], [1, 1]]).share_within == 0.0


def test_rows_may_have_different_numbers_of_runs() -> None:
    spread = split_variance([[1, 0, 1], [0], [1, 1]])
    assert spread.mean == pytest.approx((2 / 3 + 0 + 1) / 3)
    assert spread.repeats == pytest.approx((6 - 14 / 6) / 2)


def test_a_single_run_says_nothing_about_sampling() -> None:
    for scores in ([[1], [0]], [[1, 0]], [[1, 0], []]):
        with pytest.raises(InputError, match="two rows or more"):
            split_variance(scores)


@pytest.mark.parametrize("k", [1, 2, 3, 4])
def test_all_k_runs_pass_as_often_as_choices_of_k_do(k: int) -> None:
    rows = [[True, True, False, True], [False] * 4, [True] * 4]
    choices = [all(runs) for row in rows for runs in combinations(row, k)]
    assert pass_hat(rows, k) == pytest.approx(sum(choices) / len(choices))


def test_more_runs_than_there_are_cannot_be_judged() -> None:
    for rows, k in (([[True]], 2), ([[True]], 0), ([], 1)):
        with pytest.raises(InputError, match="needs rows"):
            pass_hat(rows, k)
