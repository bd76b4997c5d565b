"""Fit how the accuracy of a vote grows or falls with its number of samples."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

# Pairs of wrong draws that are added to the real ones of each difficulty, agreeing as often as
# those of all items do; how often wrong draws agree tells over how many answers they spread.
PRIOR_PAIRS = 4.0
MOST_RIVALS = 60
MOST_SAMPLES = 150
STEPS = 300


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
    counts = Counter((item.right, item.draws) for item in items)
    share, easy, hard = _expectation_maximization(counts)
    parts = []
    collisions = _count_collisions((item, 1.0) for item in items)
    for weight, chance, first in ((share, easy, True), (1 - share, hard, False)):
        if weight <= 1e-9:
            continue
        members = ((item, _membership(item, share, easy, hard, first)) for item in items)
        agree, pairs = _count_collisions(members)
        rate = (agree + PRIOR_PAIRS * _collision_rate(collisions)) / (pairs + PRIOR_PAIRS)
        parts.append(Difficulty(weight, chance, _estimate_rivals(rate)))
    return Mixture(tuple(parts))


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
    helps = 0
    for _ in range(draws):
        again = fit_mixture(rng.choices(items, k=len(items)))
        helps += again.accuracy(size) > again.accuracy(1)
    return size if helps >= (1 - level) * draws else 1


# --- the fit -------------------------------------------------------------------------------------


def _expectation_maximization(counts: Counter[tuple[int, int]]) -> tuple[float, float, float]:
    """Return the share of easy items, and the chances of easy and hard ones."""
    total = sum(counts.values())
    mean = sum(r * c for (r, _), c in counts.items()) / sum(n * c for (_, n), c in counts.items())
    if max(n for _, n in counts) < 2:
        return 1.0, mean, mean
    share, easy, hard = 0.5, min(0.98, mean + 0.25), max(0.02, mean - 0.25)
    for _ in range(STEPS):
        weights = {key: _posterior(*key, share, easy, hard) for key in counts}
        inside = sum(weights[key] * count for key, count in counts.items())
        share = inside / total
        easy = _chance(((key, weights[key] * count) for key, count in counts.items()), mean)
        hard = _chance(((key, (1 - weights[key]) * count) for key, count in counts.items()), mean)
    return (share, easy, hard) if easy >= hard else (1 - share, hard, easy)


def _chance(weighted: Iterable[tuple[tuple[int, int], float]], mean: float) -> float:
    """Return the weighted share of right samples, kept away from 0 and 1 by half a sample."""
    listed = list(weighted)
    right = sum(r * weight for (r, _), weight in listed)
    drawn = sum(n * weight for (_, n), weight in listed)
    return (right + 0.5 * mean) / (drawn + 0.5)


def _posterior(right: int, draws: int, share: float, easy: float, hard: float) -> float:
    a = _log(share) + right * _log(easy) + (draws - right) * _log(1 - easy)
    b = _log(1 - share) + right * _log(hard) + (draws - right) * _log(1 - hard)
    return 1 / (1 + math.exp(min(700.0, b - a)))


def _log(value: float) -> float:
    return math.log(max(value, 1e-12))


def _membership(item: VoteCounts, share: float, easy: float, hard: float, first: bool) -> float:
    inside = _posterior(item.right, item.draws, share, easy, hard)
    return inside if first else 1 - inside


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
