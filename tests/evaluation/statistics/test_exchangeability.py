"""The test whether later replies are exchangeable with earlier ones."""

from __future__ import annotations

import random
import statistics

from langprog.evaluation import BettingWealth, ConformalRanks, bets_until


def alarms(runs: int, changed: float) -> int:
    """How many of the runs alarm at 0.05: 12 questions, 5 recorded replies, 5 new ones."""
    count = 0
    for run in range(runs):
        rng, wealth = random.Random(run), BettingWealth()
        sides = [rng.choice(((1,), (1, 1, 1, 0), (1, 0), (1, 2, 3, 4))) for _ in range(12)]
        ranks = [ConformalRanks(rng.choice(side) for _ in range(5)) for side in sides]
        for _ in range(5):
            for known, side in zip(ranks, sides, strict=True):
                reply = 9 if rng.random() < changed else rng.choice(side)
                wealth.bet(known.add(reply, rng.random()))
        count += wealth.peak >= 20
    return count


def test_without_a_change_alarms_are_as_rare_as_asked_for() -> None:
    # 300 runs at 5 %: more than 27 have a chance of less than 1 in 1,000. Uniform and varied
    # questions, each asked 5 times, looked at after each reply.
    assert alarms(300, 0.0) <= 27


def test_a_change_is_found() -> None:
    assert alarms(40, 0.9) >= 30


def test_p_values_are_uniform_and_unrelated_to_the_one_before() -> None:
    rng, first, second = random.Random(0), [], []
    for _ in range(3000):
        known = ConformalRanks(rng.choice("aab") for _ in range(3))
        first.append(known.add(rng.choice("aab"), rng.random()))
        second.append(known.add(rng.choice("aab"), rng.random()))
    for values in (first, second):
        for share in (0.1, 0.25, 0.5, 0.9):
            assert abs(statistics.fmean(p <= share for p in values) - share) < 0.03
    assert abs(statistics.correlation(first, second)) < 0.06


def test_the_strangest_reply_has_the_smallest_p_value() -> None:
    known = ConformalRanks([1.0, 1.0, 1.25], lambda a, b: abs(a - b))
    assert known.add(5.0, 0.5) == 0.125
    assert known.add(1.0, 1.0) == 1.0 and known.counts[1.0] == 3


def test_long_quiet_costs_little_when_the_change_comes() -> None:
    rng, wealth = random.Random(3), BettingWealth()
    for _ in range(3000):
        wealth.bet(rng.random())
    quiet = wealth.bets
    while wealth.wealth < 20:
        wealth.bet(0.1)
    assert quiet == 3000 and wealth.bets - quiet < 60


def test_replies_that_have_become_uniform_are_found() -> None:
    wealth, rng = BettingWealth(), random.Random(1)
    while wealth.wealth < 20:
        wealth.bet(1 - rng.random() / 6)
    assert wealth.bets < 40


def test_how_long_a_change_takes_to_be_found() -> None:
    whole, half = bets_until(20, 4, 1.0), bets_until(20, 4, 0.5)
    assert whole is not None and half is not None and whole < half < 200
    assert bets_until(20, 4, 0.0, most=50) is None
