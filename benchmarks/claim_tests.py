"""Other tests of a mean difference, to compare with those of the certificate.

Each takes differences between -1 and 1, (samples, n), and a margin, and says for every sample
whether it claims at 5 % that the mean is above the margin. The first group keeps its level for
every n and every bounded distribution; the second is commonly used but does not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import special, stats

LEVEL = 0.05
Floats = npt.NDArray[np.float64]
Rejected = npt.NDArray[np.bool_]
Test = Callable[[Floats, float], Rejected]


def hoeffding(values: Floats, margin: float) -> Rejected:
    """Hoeffding (1963)."""
    slack = np.sqrt(2 * np.log(1 / LEVEL) / values.shape[1])
    return np.asarray(values.mean(1) - slack > margin)


def empirical_bernstein(values: Floats, margin: float) -> Rejected:
    """Maurer and Pontil (2009)."""
    n, spread = values.shape[1], values.var(1, ddof=1)
    heavy = np.log(2 / LEVEL)
    slack = np.sqrt(2 * spread * heavy / n) + 7 * 2 * heavy / (3 * (n - 1))
    return np.asarray(values.mean(1) - slack > margin)


def hedged_capital(values: Floats, margin: float, orders: int = 10) -> Rejected:
    """Waudby-Smith and Ramdas (2024): predictable plug-in bets, averaged over orders."""
    rng = np.random.default_rng(0)
    capital = np.zeros(len(values))
    for _ in range(orders):
        ordered = values[:, rng.permutation(values.shape[1])]
        count = np.arange(1, values.shape[1] + 1)
        middle = np.cumsum(ordered, 1) / (count + 1)
        spread = (0.25 + np.cumsum((ordered - middle) ** 2, 1)) / (count + 1)
        spread = np.concatenate([np.full((len(values), 1), 0.25), spread[:, :-1]], 1)
        bets = np.sqrt(2 * np.log(1 / LEVEL) / (values.shape[1] * spread))
        bets = np.minimum(bets, 0.9 / (1 + margin))
        capital += np.exp(np.log1p(bets * (ordered - margin)).sum(1)) / orders
    return np.asarray(capital >= 1 / LEVEL)


def recalculated_bets(values: Floats, margin: float, level: float = LEVEL) -> Rejected:
    """Voracek and Orabona (2025), as in the certificate, but for all scores."""
    samples, n = values.shape
    wealth, total, squares = np.zeros(samples), np.zeros(samples), np.zeros(samples)
    goal = -np.log(level)
    for place in range(n):
        spread = (0.5 + squares) / (1 + place)
        bet = np.sqrt(2 * np.maximum(goal - wealth, 0) / ((n - place) * spread))
        value = values[:, place]
        wealth = wealth + np.log1p(np.minimum(bet, 0.99 / (1 + margin)) * (value - margin))
        before = total / (place + 1)
        total = total + value
        squares = squares + (value - before) * (value - total / (place + 2))
    return np.asarray(wealth >= goal - 1e-9)


def union_of_shares(values: Floats, margin: float) -> Rejected:
    """Clopper and Pearson (1934) for the shares of wins and losses, at 2.5 % each; 0/1 scores."""
    n = values.shape[1]
    wins, losses = (values > 0).sum(1), (values < 0).sum(1)
    won = np.where(wins > 0, special.betaincinv(np.maximum(wins, 1), n - wins + 1, LEVEL / 2), 0.0)
    lost = special.betaincinv(losses + 1, np.maximum(n - losses, 1), 1 - LEVEL / 2)
    return np.asarray(won - lost > margin)


def t_test(values: Floats, margin: float) -> Rejected:
    """Student's paired t-test."""
    n = values.shape[1]
    error = values.std(1, ddof=1) / np.sqrt(n)
    quantile = float(stats.t.ppf(1 - LEVEL, n - 1))
    return np.asarray(values.mean(1) - quantile * error > margin)


def sign_flips(values: Floats, margin: float, draws: int = 400) -> Rejected:
    """The sign-flip test of the differences shifted by the margin."""
    rng = np.random.default_rng(0)
    moved = values - margin
    signs = rng.choice([-1.0, 1.0], size=(values.shape[1], draws))
    reached = (moved @ signs >= moved.sum(1, keepdims=True) - 1e-9).sum(1)
    return np.asarray((reached + 1) / (draws + 1) <= LEVEL)


def bootstrap(values: Floats, margin: float, draws: int = 400) -> Rejected:
    """The percentile bootstrap."""
    rng = np.random.default_rng(0)
    n = values.shape[1]
    weights = rng.multinomial(n, np.full(n, 1 / n), size=draws).T / n
    return np.asarray(np.quantile(values @ weights, LEVEL, axis=1) > margin)


VALID: Mapping[str, Test] = MappingProxyType(
    {
        "recalculated bets": recalculated_bets,
        "hedged capital": hedged_capital,
        "empirical Bernstein": empirical_bernstein,
        "Hoeffding": hoeffding,
        "union of shares": union_of_shares,
    }
)
NAIVE: Mapping[str, Test] = MappingProxyType(
    {"t-test": t_test, "sign flips": sign_flips, "bootstrap": bootstrap}
)


def interval_of_rate(hits: int, count: int, level: float = 0.01) -> tuple[float, float]:
    """Return the interval of Clopper and Pearson for a rate."""
    low: Any = special.betaincinv(hits, count - hits + 1, level / 2) if hits else 0.0
    high: Any = special.betaincinv(hits + 1, count - hits, 1 - level / 2) if hits < count else 1.0
    return float(low), float(high)
