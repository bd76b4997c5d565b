"""Votes predicted from few samples, against votes that are counted."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optimizers.models.vote_fit import (
    Difficulty,
    Mixture,
    VoteCounts,
    choose_size,
    fit_mixture,
    plurality_accuracy,
)


def counted(k: int, chance: float, rivals: int, rng: random.Random, times: int = 6000) -> float:
    """Return how often the right answer wins, by counting votes."""
    won = 0.0
    for _ in range(times):
        votes = Counter(
            "right" if rng.random() < chance else str(rng.randrange(rivals)) for _ in range(k)
        )
        most = max(votes.values())
        top = [answer for answer, count in votes.items() if count == most]
        won += ("right" in top) / len(top)
    return won / times


def drawn(
    parts: list[tuple[float, float, int]], count: int, draws: int, rng: random.Random
) -> list[VoteCounts]:
    """Draw samples of items: (share, chance, rivals) by difficulty."""
    items = []
    for _ in range(count):
        _, chance, rivals = rng.choices(parts, [share for share, _, _ in parts])[0]
        items.append(
            VoteCounts.of(
                ("right", True) if rng.random() < chance else (str(rng.randrange(rivals)), False)
                for _ in range(draws)
            )
        )
    return items


@pytest.mark.parametrize(
    ("k", "chance", "rivals"), [(3, 0.6, 1), (5, 0.4, 3), (9, 0.3, 6), (4, 0.5, 2), (21, 0.25, 8)]
)
def test_the_formula_agrees_with_counting(k: int, chance: float, rivals: int) -> None:
    rng = random.Random(1)
    assert plurality_accuracy(k, chance, rivals) == pytest.approx(
        counted(k, chance, rivals, rng), abs=0.02
    )


def test_against_one_rival_it_is_a_majority() -> None:
    assert plurality_accuracy(3, 0.6, 1) == pytest.approx(0.6**3 + 3 * 0.6**2 * 0.4)
    assert plurality_accuracy(2, 0.6, 1) == pytest.approx(0.6)


@settings(deadline=None)
@given(st.integers(1, 30), st.floats(0.0, 1.0), st.integers(1, 40))
def test_it_is_a_chance(k: int, chance: float, rivals: int) -> None:
    assert 0.0 <= plurality_accuracy(k, chance, rivals) <= 1.0 + 1e-9
    assert plurality_accuracy(1, chance, rivals) == pytest.approx(chance)


@settings(deadline=None)
@given(st.lists(st.integers(0, 4), min_size=1, max_size=30))
def test_one_sample_is_right_as_often_as_the_samples_were(counts: list[int]) -> None:
    mixture = fit_mixture([VoteCounts(right, (4 - right,) * (right < 4)) for right in counts])
    assert mixture.accuracy(1) == pytest.approx(sum(counts) / 4 / len(counts), abs=0.05)
    assert sum(part.share for part in mixture.parts) == pytest.approx(1.0)


def test_two_difficulties_are_found_again() -> None:
    rng = random.Random(2)
    mixture = fit_mixture(drawn([(0.6, 0.9, 5), (0.4, 0.2, 2)], 400, 5, rng))
    easy, hard = mixture.parts
    assert easy.share == pytest.approx(0.6, abs=0.08)
    assert (easy.chance, hard.chance) == (
        pytest.approx(0.9, abs=0.05),
        pytest.approx(0.2, abs=0.06),
    )
    truth = Mixture((Difficulty(0.6, 0.9, 5), Difficulty(0.4, 0.2, 2)))
    for k in (1, 3, 9, 41):
        assert mixture.accuracy(k) == pytest.approx(truth.accuracy(k), abs=0.05)


def test_a_vote_may_rise_and_fall() -> None:
    mixture = Mixture((Difficulty(0.7, 0.75, 1), Difficulty(0.3, 0.4, 1)))
    scores = [mixture.accuracy(k) for k in (1, 5, 21, 149)]
    assert scores[0] < scores[1] < scores[2]
    assert scores[3] < scores[2]


def test_voting_is_said_where_it_pays_and_not_where_it_hurts() -> None:
    rng = random.Random(3)
    pays = drawn([(0.8, 0.8, 4), (0.2, 0.3, 4)], 33, 3, rng)
    assert choose_size(pays, (1, 3, 5, 9)) > 1
    hurts = drawn([(0.3, 0.95, 1), (0.7, 0.3, 1)], 33, 3, rng)
    assert choose_size(hurts, (1, 3, 5, 9)) == 1


def test_where_samples_never_differ_there_is_nothing_to_vote_on() -> None:
    same = [VoteCounts(3) for _ in range(20)] + [VoteCounts(0, (3,)) for _ in range(13)]
    assert choose_size(same, (1, 3, 5, 9)) == 1


def test_voting_is_rarely_said_by_luck() -> None:
    said = 0
    for seed in range(60):
        # One rival, and samples as often right as wrong: no vote helps.
        items = drawn([(1.0, 0.5, 1)], 33, 3, random.Random(seed))
        said += choose_size(items, (1, 3, 5, 9), seed=seed, draws=100) > 1
    assert said <= 9


def test_nothing_is_fitted_from_nothing() -> None:
    with pytest.raises(ValueError, match="at least one sample"):
        fit_mixture([])
    with pytest.raises(ValueError, match="at least one sample"):
        fit_mixture([VoteCounts(0)])
    with pytest.raises(ValueError, match="1 to 150 samples"):
        plurality_accuracy(0, 0.5, 1)
    assert len(fit_mixture([VoteCounts(1), VoteCounts(0, (1,))]).parts) == 1
