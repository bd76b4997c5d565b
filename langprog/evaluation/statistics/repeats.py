"""Several runs of every row: how much of the spread is chance, how reliable is a program?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from langprog.errors import InputError


@dataclass(frozen=True, slots=True)
class Spread:
    """Where the spread of scores comes from.

    Args:
        mean: Mean over rows of a row's mean score.
        between: Variance between rows: how much they differ in how well they are answered.
        within: Variance within a row: how much its score differs from one run to the next.
        rows: Number of rows.
        repeats: Runs of a row; where rows differ, the effective number.
    """

    mean: float
    between: float
    within: float
    rows: int
    repeats: float

    @property
    def error(self) -> float:
        """Standard error of the mean."""
        return math.sqrt((self.between + self.within / self.repeats) / self.rows)

    @property
    def share_within(self) -> float:
        """Share of a single run's variance that comes from sampling; 0 where nothing varies."""
        total = self.between + self.within
        return self.within / total if total > 0 else 0.0


def split_variance(scores: Sequence[Sequence[float]]) -> Spread:
    """Separate the variance between rows from that of sampling within a row.

    Follows: the analysis of variance of the one-way random-effects model (Searle, Casella and
    McCulloch, 1992, Variance Components, chapter 3), also for rows with different numbers of runs.
    Differs: a negative estimate of the variance between rows counts as 0.

    Args:
        scores: The scores of every row's runs.

    Raises:
        InputError: There are fewer than two rows, a row without a run, or no row with two.
    """
    sizes = [len(row) for row in scores]
    rows, total = len(sizes), sum(sizes)
    if rows < 2 or min(sizes) < 1 or total == rows:
        raise InputError(
            "the variance of repeated runs needs two rows or more, each with a score, "
            "and a row with two"
        )
    means = [fmean(row) for row in scores]
    squares = math.fsum(
        (value - middle) ** 2 for row, middle in zip(scores, means, strict=True) for value in row
    )
    within = squares / (total - rows)
    weighted = math.fsum(size * middle for size, middle in zip(sizes, means, strict=True)) / total
    apart = math.fsum(
        size * (middle - weighted) ** 2 for size, middle in zip(sizes, means, strict=True)
    )
    repeats = (total - sum(size * size for size in sizes) / total) / (rows - 1)
    between = max(0.0, (apart / (rows - 1) - within) / repeats)
    return Spread(fmean(means), between, within, rows, repeats)


def pass_hat(passed: Sequence[Sequence[bool]], k: int) -> float:
    """Return pass^k: the chance that k runs of a row all pass, averaged over rows.

    Follows: Yao et al. (2024, tau-bench): of a row with c passes in n runs, the share of all
    choices of k runs in which each one passes, C(c, k) / C(n, k), which is without bias.

    Args:
        passed: Whether each run of every row passed.
        k: Runs that must all pass.

    Raises:
        InputError: There is no row, or a row has fewer than k runs.
    """
    if k < 1 or not passed or min(map(len, passed)) < k:
        raise InputError(f"pass^{k} needs rows with {max(k, 1)} runs or more each")
    return fmean(math.comb(sum(map(bool, row)), k) / math.comb(len(row), k) for row in passed)
