"""Fit how the accuracy of a vote grows or falls with its number of samples."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

# Pairs of wrong draws that are added to the real ones of each difficulty, agreeing as often as
# those of all items do; how often wrong draws agree tells over how many answers they spread.
PRIOR_PAIRS = 4.0
MOST_RIVALS = 60
MOST_SAMPLES = 150
STEPS = 300

Matrix = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class VoteCounts:
    """Counts of a few samples of a labelled item.

    Args:
        right: Samples with the right answer.
        wrong: Samples with each wrong answer, one count per answer.
    """

    right: int
    wrong: tuple[int, ...] = ()

    @property
    def draws(self) -> int:
        """Number of samples."""
        return self.right + sum(self.wrong)

    @classmethod
    def of(cls, answers: Iterable[tuple[str, bool]]) -> VoteCounts:
        """Count pairs (answer, whether it is right)."""
        listed = list(answers)
        wrong = Counter(answer for answer, is_right in listed if not is_right)
        return cls(
            sum(is_right for _, is_right in listed), tuple(sorted(wrong.values(), reverse=True))
        )


@dataclass(frozen=True, slots=True)
class Difficulty:
    """Items of one difficulty.

    Args:
        share: Share of all items.
        chance: Chance that a sample is right.
        rivals: Number of wrong answers that the other samples spread over evenly.
    """

    share: float
    chance: float
    rivals: int


@dataclass(frozen=True, slots=True)
class Mixture:
    """Items of two difficulties, the easy ones first.

    Follows: Are More LLM Calls All You Need? Towards the Scaling Properties of Compound AI
    Systems (Chen et al., 2024): a vote gets better with k on easy items and worse on hard ones,
    so that overall accuracy may rise and then fall. Differs: real votes are won by the most
    frequent of many answers, not by a majority, so each difficulty also has a number of wrong
    answers.
    """

    parts: tuple[Difficulty, ...]

    def accuracy(self, k: int) -> float:
        """Return the expected accuracy of a vote of ``k`` samples; ties are drawn by lot."""
        return math.fsum(
            part.share * plurality_accuracy(k, part.chance, part.rivals) for part in self.parts
        )


def fit_mixture(items: Sequence[VoteCounts]) -> Mixture:
    """Fit the mixture by maximum likelihood.

    Args:
        items: Samples of some items; two or more per item tell easy items from hard ones, one per
            item gives a single difficulty.

    Raises:
        ValueError: There is no item, or one without a sample.
    """
    if not items or any(not item.draws for item in items):
        raise ValueError("a vote is fitted from items with at least one sample each")
    return _fit([items])[0]


def choose_size(
    items: Sequence[VoteCounts],
    sizes: Sequence[int],
    *,
    seed: int = 0,
    draws: int = 200,
    level: float = 0.05,
    worth: float = 0.01,
) -> int:
    """Choose how many samples a vote should take; 1: do not vote.

    Args:
        items: Samples of some items.
        sizes: Numbers of samples to choose from.
        seed: Seed of the bootstrap.
        draws: Bootstrap draws over items.
        level: Chance of saying "voting helps" where it does not (one-sided).
        worth: Gain in accuracy below which a larger vote is not worth its price.

    Returns:
        The smallest size whose expected accuracy is within ``worth`` of the best one, if voting
        with it beats one sample in all but ``level`` of the draws; else 1.
    """
    mixture = fit_mixture(items)
    expected = {k: mixture.accuracy(k) for k in sizes}
    best = max(expected.values(), default=0.0)
    size = min((k for k in sizes if expected[k] >= best - worth), default=1)
    if size == 1 or expected[size] <= mixture.accuracy(1):
        return 1
    rng = random.Random(f"votes/{seed}")
    again = _fit([rng.choices(items, k=len(items)) for _ in range(draws)])
    helps = sum(each.accuracy(size) > each.accuracy(1) for each in again)
    return size if helps >= (1 - level) * draws else 1


# --- the fit -------------------------------------------------------------------------------------


def _fit(samples: Sequence[Sequence[VoteCounts]]) -> list[Mixture]:
    """Fit each sample of items; the steps are taken for all at once."""
    keys = sorted({(item.right, item.draws) for items in samples for item in items})
    column = {key: i for i, key in enumerate(keys)}
    counts = np.zeros((len(samples), len(keys)))
    for row, items in zip(counts, samples, strict=True):
        for item in items:
            row[column[item.right, item.draws]] += 1
    parts, posterior = _expectation_maximization(counts, np.array(keys, dtype=float))
    return [
        _mixture(items, each, dict(zip(keys, chances, strict=True)))
        for items, each, chances in zip(samples, parts.tolist(), posterior.tolist(), strict=True)
    ]


def _mixture(
    items: Sequence[VoteCounts],
    fitted: Sequence[float],
    inside: dict[tuple[int, int], float],
) -> Mixture:
    """Return a mixture; ``inside`` is the chance that an item with such counts is easy."""
    share, easy, hard = fitted
    collisions = _collision_rate(_count_collisions((item, 1.0) for item in items))
    easy_ones = [(item, inside[item.right, item.draws]) for item in items]
    hard_ones = [(item, 1 - weight) for item, weight in easy_ones]
    parts = []
    for weight, chance, members in ((share, easy, easy_ones), (1 - share, hard, hard_ones)):
        if weight <= 1e-9:
            continue
        agree, pairs = _count_collisions(members)
        rate = (agree + PRIOR_PAIRS * collisions) / (pairs + PRIOR_PAIRS)
        parts.append(Difficulty(weight, chance, _estimate_rivals(rate)))
    return Mixture(tuple(parts))


def _expectation_maximization(counts: Matrix, keys: Matrix) -> tuple[Matrix, Matrix]:
    """Return share of easy items and both chances of each row, and which items are easy.

    Args:
        counts: Items with these counts of samples, shape (rows, kinds).
        keys: Right samples and all samples of each kind, shape (kinds, 2).
    """
    right, draws = keys[:, 0], keys[:, 1]
    total = counts.sum(axis=1)
    mean = (counts @ right) / (counts @ draws)
    share = np.full(len(counts), 0.5)
    easy, hard = np.minimum(0.98, mean + 0.25), np.maximum(0.02, mean - 0.25)
    # One sample an item tells nothing of difficulties.
    single = ((counts > 0) * draws).max(axis=1) < 2
    share, easy, hard = (
        np.where(single, alone, value)
        for alone, value in ((1.0, share), (mean, easy), (mean, hard))
    )
    for _ in range(STEPS):
        weights = _posterior(share, easy, hard, keys) * counts
        rest = counts - weights
        share = np.where(single, share, weights.sum(axis=1) / total)
        easy = np.where(single, mean, _chance(weights, right, draws, mean))
        hard = np.where(single, mean, _chance(rest, right, draws, mean))
    swapped = easy < hard
    share = np.where(swapped, 1 - share, share)
    easy, hard = np.maximum(easy, hard), np.minimum(easy, hard)
    return np.stack([share, easy, hard], axis=1), _posterior(share, easy, hard, keys)


def _chance(weights: Matrix, right: Matrix, draws: Matrix, mean: Matrix) -> Matrix:
    """Return the weighted share of right samples, kept away from 0 and 1 by half a sample."""
    chance: Matrix = (weights @ right + 0.5 * mean) / (weights @ draws + 0.5)
    return chance


def _posterior(share: Matrix, easy: Matrix, hard: Matrix, keys: Matrix) -> Matrix:
    """Return the chance that an item with such counts is easy, shape (rows, kinds)."""
    right, wrong = keys[:, 0], keys[:, 1] - keys[:, 0]
    odds = (
        (_log(1 - share) - _log(share))[:, None]
        + np.outer(_log(hard) - _log(easy), right)
        + np.outer(_log(1 - hard) - _log(1 - easy), wrong)
    )
    chance: Matrix = 1 / (1 + np.exp(np.minimum(700.0, odds)))
    return chance


def _log(value: Matrix) -> Matrix:
    logarithm: Matrix = np.log(np.maximum(value, 1e-12))
    return logarithm


def _count_collisions(items: Iterable[tuple[VoteCounts, float]]) -> tuple[float, float]:
    """Count the pairs of wrong samples of an item that agree, and all such pairs, weighted."""
    agree = pairs = 0.0
    for item, weight in items:
        wrong = sum(item.wrong)
        agree += weight * sum(count * (count - 1) / 2 for count in item.wrong)
        pairs += weight * wrong * (wrong - 1) / 2
    return agree, pairs


def _collision_rate(collisions: tuple[float, float]) -> float:
    agree, pairs = collisions
    return (agree + 0.5) / (pairs + 1.0)


def _estimate_rivals(rate: float) -> int:
    return max(1, min(MOST_RIVALS, round(1 / max(rate, 1e-9))))


# --- the vote ------------------------------------------------------------------------------------


def plurality_accuracy(k: int, chance: float, rivals: int) -> float:
    """Return the chance that the right answer wins a vote of ``k``; ties are drawn by lot.

    Args:
        k: Samples, 1 to 150.
        chance: Chance that a sample is right.
        rivals: Number of wrong answers, equally likely.

    Raises:
        ValueError: k is out of range.
    """
    if not 1 <= k <= MOST_SAMPLES:
        raise ValueError(f"a vote has 1 to {MOST_SAMPLES} samples, not {k}")
    wins = _wins(k, rivals)
    stay = 1.0 - chance
    return math.fsum(
        math.comb(k, right) * chance**right * stay ** (k - right) * wins[right]
        for right in range(1, k + 1)
    )


@lru_cache(maxsize=4096)
def _wins(k: int, rivals: int) -> tuple[float, ...]:
    """Return the chance of winning by the number of right samples, 0 to ``k``."""
    return (0.0, *(_win(right, k - right, rivals) for right in range(1, k + 1)))


def _win(right: int, wrong: int, rivals: int) -> float:
    """Return the chance that no rival has more of ``wrong`` samples than ``right``.

    The number of ways to spread samples so that every rival has fewer is a coefficient of a power
    of the truncated exponential series.
    """
    fewer = [1 / math.factorial(j) for j in range(min(right - 1, wrong) + 1)]
    whole = math.factorial(wrong) / float(rivals) ** wrong
    total = 0.0
    for tied in range(min(rivals, wrong // right) + 1):
        rest = wrong - tied * right
        ways = _coefficient(fewer, rivals - tied, rest) / math.factorial(right) ** tied
        total += math.comb(rivals, tied) * ways / (tied + 1)
    return min(1.0, whole * total)


def _coefficient(series: Sequence[float], power: int, place: int) -> float:
    """Return the coefficient of x^place in a polynomial to a power."""
    result, base = [1.0], list(series)
    while power:
        if power & 1:
            result = _product(result, base, place)
        base = _product(base, base, place)
        power >>= 1
    return result[place] if place < len(result) else 0.0


def _product(a: Sequence[float], b: Sequence[float], most: int) -> list[float]:
    size = min(most, len(a) + len(b) - 2) + 1
    return [
        math.fsum(
            a[i] * b[at - i] for i in range(max(0, at - len(b) + 1), min(at, len(a) - 1) + 1)
        )
        for at in range(size)
    ]
