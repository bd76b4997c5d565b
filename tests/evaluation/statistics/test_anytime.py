from __future__ import annotations

import random

import pytest

from langprog.evaluation import RunningMean, anytime_sign_p


def test_the_level_holds_at_whatever_time_one_looks() -> None:
    rng = random.Random(7)
    alarms = 0
    for _ in range(400):
        first = second = 0
        for _ in range(300):
            if rng.random() < 0.5:
                first += 1
            else:
                second += 1
            if anytime_sign_p(first, second) <= 0.05:
                alarms += 1
                break
    assert alarms <= 20  # 5 % of 400
    assert anytime_sign_p(2, 20) < 0.01 and anytime_sign_p(20, 2) == anytime_sign_p(2, 20)
    assert anytime_sign_p(0, 0) == 1.0


@pytest.mark.parametrize("turns", [False, True])
def test_an_interval_holds_over_the_whole_run_also_where_the_mean_changes(turns: bool) -> None:
    rng = random.Random(3)
    missed = 0
    for _ in range(50):
        running, expected = RunningMean(-1, 1), 0.0
        held = True
        for number in range(1, 201):
            gain = 0.3 if turns and number % 100 < 50 else 0.0
            expected += gain
            running.add(rng.choices((-1, 0, 1), (0.3, 0.4 - gain, 0.3 + gain))[0])
            if number % 20 == 0:
                low, high = running.interval()
                held &= low <= expected / number <= high
        missed += not held
    assert missed <= 3


def test_an_interval_becomes_short_and_stays_within_the_range() -> None:
    running = RunningMean()
    assert (running.mean, running.interval()) == (None, (0.0, 1.0))
    for number in range(400):
        running.add(number % 2)
    low, high = running.interval()
    assert running.mean == 0.5 and 0.38 < low < 0.5 < high < 0.62
    same = RunningMean(1, 5)
    for _ in range(100):
        same.add(5)
    assert same.interval()[1] == 5 and same.interval()[0] > 4.5
