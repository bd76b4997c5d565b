from __future__ import annotations

import random

from langprog.evaluation import anytime_sign_p


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
