"""Drawing rows from pairs of models, and testing whether a port would be called safe."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from benchmarks.replay.model_pairs import PairScores
from langprog.evaluation import PairedScores, mean_interval, mean_p
from optimizers.porting.decision import LEVEL

TOLERANCE = 0.05
# Numbers of wins that are less likely are left out of an exact chance.
NEGLIGIBLE = 1e-9

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Population:
    """A pair with all its rows."""

    source: str
    name: str
    kind: str
    scores: PairScores

    @property
    def differences(self) -> Floats:
        """New minus old, a row."""
        changes: Floats = np.array(self.scores.after) - np.array(self.scores.before)
        return changes

    @property
    def truth(self) -> float:
        """The true difference."""
        return float(self.differences.mean())

    @property
    def is_graded(self) -> bool:
        """Whether there are scores between 0 and 1."""
        return bool(set(self.scores.before + self.scores.after) - {0.0, 1.0})


@dataclass(frozen=True, slots=True)
class Share:
    """How often a port was called safe."""

    safe: int
    draws: int

    @property
    def interval(self) -> tuple[float, float]:
        """Its 95 % interval."""
        return mean_interval([1.0] * self.safe + [0.0] * (self.draws - self.safe))

    def __str__(self) -> str:
        low, high = self.interval
        return f"{self.safe / self.draws:.1%} [{low:.1%}, {high:.1%}]"


# --- drawing -------------------------------------------------------------------------------------


def tilt(differences: Floats, mean: float) -> Floats | None:
    """Return weights under which the differences have a given mean; ``None`` if none have.

    They are the exponential ones, which change the distribution least.
    """
    if not differences.min() < mean < differences.max():
        return None

    def weights(slope: float) -> Floats:
        raw = np.exp(slope * (differences - differences.max()))
        weighted: Floats = raw / raw.sum()
        return weighted

    low, high = -60.0, 60.0
    for _ in range(200):
        middle = (low + high) / 2
        if float(weights(middle) @ differences) < mean:
            low = middle
        else:
            high = middle
    return weights((low + high) / 2)


def count_safe(
    population: Population, size: int, draws: int, seed: int, weights: Floats | None = None
) -> int:
    """Draw rows many times, and count how often the port is called safe."""
    before, after = np.array(population.scores.before), np.array(population.scores.after)
    rng = np.random.default_rng([seed, size])
    safe, counts = 0, safe_counts(size)
    for _ in range(draws):
        rows = rng.choice(len(before), size, p=weights)
        if population.is_graded:
            safe += is_safe(PairedScores(before[rows].tolist(), after[rows].tolist()))
        else:
            drawn = after[rows] - before[rows]
            safe += counts.holds(int((drawn > 0).sum()), int((drawn < 0).sum()))
    return safe


def is_safe(pairs: PairedScores) -> bool:
    """Return whether the test of a port says ``safe``; without the bounds, which take longer."""
    return mean_p(pairs, -TOLERANCE, level=LEVEL) <= LEVEL


class SafeCounts:
    """For how many wins and losses among ``size`` rows with scores of 0 and 1 a port is safe.

    More wins, or fewer losses, never make it unsafe, so that few tests tell all.

    Args:
        size: Number of rows.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        # For every number of wins: the most losses known to be safe, the fewest known not to be.
        self._safe = np.full(size + 1, -1)
        self._unsafe = np.full(size + 1, size + 1)

    def holds(self, wins: int, losses: int) -> bool:
        """Return whether the port is safe."""
        if losses > self._safe[wins] and losses < self._unsafe[wins]:
            self._test(wins, losses)
        return bool(losses <= self._safe[wins])

    def _test(self, wins: int, losses: int) -> None:
        ties = self._size - wins - losses
        before = [0.0] * wins + [1.0] * losses + [1.0] * ties
        after = [1.0] * wins + [0.0] * losses + [1.0] * ties
        if is_safe(PairedScores(before, after)):
            self._safe[wins:] = np.maximum(self._safe[wins:], losses)
        else:
            self._unsafe[: wins + 1] = np.minimum(self._unsafe[: wins + 1], losses)


@cache
def safe_counts(size: int) -> SafeCounts:
    """Return the counts for a number of rows; all pairs share them."""
    return SafeCounts(size)


def compute_chance(population: Population, size: int, weights: Floats) -> float:
    """Return the exact chance of ``safe`` for scores of 0 and 1, without drawing.

    Args:
        population: The pair.
        size: Number of rows.
        weights: How likely each row of the pair is to be drawn.
    """
    changes, counts = population.differences, safe_counts(size)
    win, loss = float(weights[changes > 0].sum()), float(weights[changes < 0].sum())
    chance = 0.0
    for wins in range(size + 1):
        likely = _binomial(wins, size, win)
        if likely < NEGLIGIBLE:
            continue
        others = size - wins
        for losses in range(others + 1):
            if not counts.holds(wins, losses):
                break
            chance += likely * _binomial(losses, others, min(1.0, loss / (1 - win)))
    return chance


def _binomial(hits: int, size: int, share: float) -> float:
    if share <= 0.0 or share >= 1.0:
        return float(hits == size * round(share))
    ways = math.lgamma(size + 1) - math.lgamma(hits + 1) - math.lgamma(size - hits + 1)
    return math.exp(ways + hits * math.log(share) + (size - hits) * math.log1p(-share))
