"""A mean score under sparse joint shift: the scores and few features have shifted, no more.

A row is known by its features. A model of the labelled rows gives each row a chance that it is
right, and rows with like chances share a bin. Where only the scores and the features J have
shifted, rows that agree in these look as before: in each cell of J, the bins of the new rows are
a mixture of the bins of right and of wrong labelled rows, whose weight is the mean score there.
Where only the features J have shifted, the mean score in a cell is that of the labelled rows.
"""

from __future__ import annotations

import importlib
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

BINS, FOLDS, ROUNDS = 5, 5, 40
RESAMPLES = 100
# Penalty on the coefficients of the model, and rows added to every count of bins.
RIDGE, SMOOTH = 1.0, 0.5
# A cell of labelled rows that is smaller says too little of its own.
FEWEST = 10
# Shifts that fit almost as well as the best, on the scale of log-likelihood, count as well.
SLACK = 3.0
# A set of features is considered only with up to this many cells.
MOST_CELLS = 12


@dataclass(frozen=True)
class Shift:
    """What has shifted, and the mean score that follows.

    Args:
        features: The features that have shifted.
        joint: Whether the scores of rows with the same features J have shifted as well.
        mean: Mean score of the new rows.
        interval: Its 95 % interval, of all shifts that fit about as well.
        others: These other shifts.
        informative: Chance that a right labelled row looks more right than a wrong one; 0.5 means
            that the features tell nothing.
        unsupported: Share of new rows of a kind that no or few labelled rows have.
    """

    features: tuple[str, ...]
    joint: bool
    mean: float
    interval: tuple[float, float]
    others: tuple[tuple[tuple[str, ...], bool], ...]
    informative: float
    unsupported: float


class _Data:
    def __init__(
        self,
        scores: Sequence[float],
        labelled: Mapping[str, Sequence[str]],
        others: Mapping[str, Sequence[str]],
        count: int,
        seed: int,
    ) -> None:
        self.numpy: Any = importlib.import_module("numpy")
        self.rng = self.numpy.random.default_rng(seed)
        self.scores = self.numpy.asarray(scores, dtype=float)
        self.codes = {name: self._code(labelled[name], others[name]) for name in labelled}
        self.n, self.count = len(scores), count
        chances = self._fit()
        self.informative = self._area(chances)

    def _code(self, first: Sequence[str], second: Sequence[str]) -> tuple[Any, Any, int]:
        values = sorted({*first, *second})
        place = {value: index for index, value in enumerate(values)}
        array = self.numpy.array
        return (
            array([place[value] for value in first]),
            array([place[value] for value in second]),
            len(values),
        )

    def _fit(self) -> Any:
        """Divide all rows into bins; returns how right each labelled row looks.

        A labelled row is judged by a model of the labelled rows in other folds. Another row is
        judged by the models of all folds, and counts a part for each: equal rows share a bin.
        """
        numpy = self.numpy
        columns = [[numpy.ones(self.n), numpy.ones(self.count)]]
        for first, second, size in self.codes.values():
            columns += [[(first == value) * 1.0, (second == value) * 1.0] for value in range(size)]
        rows, others = (numpy.stack([pair[k] for pair in columns], axis=1) for k in (0, 1))
        folds = self.rng.permutation(self.n) % FOLDS
        chances = numpy.zeros(self.n)
        self.bins = numpy.zeros(self.n, int)
        self.other_bins = numpy.zeros((FOLDS, self.count), int)
        for fold in range(FOLDS):
            inside = folds == fold
            weights = self._logistic(rows[~inside], self.scores[~inside])
            fitted, chances[inside] = rows[~inside] @ weights, rows[inside] @ weights
            edges = numpy.unique(
                numpy.quantile(fitted, [k / BINS for k in range(1, BINS)], method="nearest")
            )
            self.bins[inside] = self._digitize(chances[inside], edges)
            self.other_bins[fold] = self._digitize(others @ weights, edges)
        return chances

    def _digitize(self, chances: Any, edges: Any) -> Any:
        # Equal rows have equal chances but for rounding.
        return self.numpy.digitize(chances + 1e-9, edges)

    def _logistic(self, rows: Any, scores: Any) -> Any:
        """Fit a logistic regression with a ridge, by Newton's method."""
        numpy = self.numpy
        weights = numpy.zeros(rows.shape[1])
        penalty = numpy.full(rows.shape[1], RIDGE)
        penalty[0] = 1e-3
        for _ in range(12):
            chance = 1 / (1 + numpy.exp(-numpy.clip(rows @ weights, -30, 30)))
            slope = rows.T @ (chance - scores) + penalty * weights
            bend = (rows * (chance * (1 - chance))[:, None]).T @ rows + numpy.diag(penalty)
            step = numpy.linalg.solve(bend, slope)
            weights = weights - step
            if abs(step).max() < 1e-6:
                break
        return weights

    def _area(self, chances: Any) -> float:
        order = self.numpy.argsort(chances, kind="stable")
        _, inverse, counts = self.numpy.unique(
            chances[order], return_inverse=True, return_counts=True
        )
        ranks = (self.numpy.cumsum(counts) - (counts - 1) / 2)[inverse]
        right = self.scores[order]
        total = right.sum()
        if not 0 < total < self.n:
            return 0.5
        return float(
            ((ranks * right).sum() - total * (total + 1) / 2) / (total * (self.n - total))
        )

    def cells(self, names: Sequence[str]) -> tuple[Any, Any, int]:
        """Return the cell of each row: what it has of these features together."""
        first, second = self.numpy.zeros(self.n, int), self.numpy.zeros(self.count, int)
        size = 1
        for name in names:
            mine, theirs, values = self.codes[name]
            first, second = first * values + mine, second * values + theirs
            size *= values
        return first, second, size

    def fit(
        self, cells: tuple[Any, Any, int], joint: bool, weights: Any, other_weights: Any
    ) -> tuple[float, float, float]:
        """Return the mean score, the log-likelihood, and the share of rows without support.

        Args:
            cells: The cell of each row.
            joint: Whether the scores in a cell have shifted.
            weights: How often each labelled row counts.
            other_weights: How often each other row does.
        """
        numpy = self.numpy
        first, second, size = cells

        def count(cell: Any, bins: Any, weight: Any) -> Any:
            flat = numpy.bincount(cell * BINS + bins, weight, size * BINS)
            return flat.reshape(size, BINS)

        right = count(first, self.bins, weights * self.scores)
        wrong = count(first, self.bins, weights * (1 - self.scores))
        new = sum(count(second, bins, other_weights) for bins in self.other_bins) / FOLDS
        own = right.sum(1) + wrong.sum(1)
        known = own >= FEWEST
        # Every cell borrows from all of them, so that no bin is impossible.
        like_right, like_wrong = (
            (each + SMOOTH * (each.sum(0) + 0.1) / (each.sum() + 0.1 * BINS) * BINS)
            for each in (right, wrong)
        )
        like_right /= like_right.sum(1, keepdims=True)
        like_wrong /= like_wrong.sum(1, keepdims=True)
        before = (right.sum(1) + 0.5) / (own + 1)
        share = before.copy()
        for _ in range(ROUNDS if joint else 0):
            posterior = share[:, None] * like_right
            both = posterior + (1 - share[:, None]) * like_wrong
            posterior = posterior / both
            share = (new * posterior).sum(1) / numpy.maximum(new.sum(1), 1e-9)
        both = share[:, None] * like_right + (1 - share[:, None]) * like_wrong
        source = before[:, None] * like_right + (1 - before[:, None]) * like_wrong
        ratio = (new.sum(1) / new.sum() + 1e-12) / ((own + 0.5) / (own.sum() + 0.5 * size))
        gain = float((new * numpy.log(both / source * ratio[:, None])).sum())
        # Where nothing is known of a cell, it gets the mean of the others.
        usual = float((new.sum(1) * share)[known].sum() / max(new.sum(1)[known].sum(), 1e-9))
        share = numpy.where(known, share, usual)
        mean = float((new.sum(1) * share).sum() / new.sum())
        return mean, gain, float(new.sum(1)[~known].sum() / new.sum())


def estimate_shifted(
    scores: Sequence[float],
    labelled: Mapping[str, Sequence[str]],
    others: Mapping[str, Sequence[str]],
    *,
    count: int,
    sparsity: int,
    seed: int,
) -> Shift:
    """Estimate the mean score of rows whose scores are unknown.

    Args:
        scores: Scores of the labelled rows, 0 to 1.
        labelled: Their features, by name.
        others: The features of the other rows.
        count: How many other rows there are.
        sparsity: The most features that may have shifted.
        seed: Divides the rows into folds, and resamples them.
    """
    data = _Data(scores, labelled, others, count, seed)
    ones = data.numpy.ones(data.n), data.numpy.ones(data.count)
    fits = []
    for size in range(sparsity + 1):
        for names in itertools.combinations(data.codes, size):
            cells = data.cells(names)
            if cells[2] > MOST_CELLS:
                continue
            for joint in (False, True):
                mean, gain, unsupported = data.fit(cells, joint, *ones)
                free = cells[2] - 1 + (cells[2] if joint else 0)
                # The labelled rows are a sample, too, from which new ones differ by chance; beside
                # that, Akaike's criterion.
                worth = gain / (1 + count / data.n) - free
                fits.append((worth, names, joint, cells, mean, unsupported))
    best = max(fits, key=lambda fit: fit[0])
    near = [fit for fit in fits if fit[0] >= best[0] - SLACK]
    ends = [_resample(data, fit[3], fit[2], fit[4]) for fit in near]
    # Nothing is known of rows of a kind that was not labelled: they may all be wrong, or right.
    lost = best[5]
    return Shift(
        features=best[1],
        joint=best[2],
        mean=best[4],
        interval=(
            max(0.0, min(low for low, _ in ends)) * (1 - lost),
            min(1.0, max(high for _, high in ends)) * (1 - lost) + lost,
        ),
        others=tuple((fit[1], fit[2]) for fit in near if fit is not best),
        informative=data.informative,
        unsupported=lost,
    )


def _resample(
    data: _Data, cells: tuple[Any, Any, int], joint: bool, mean: float
) -> tuple[float, float]:
    """Return the interval by bootstrap over labelled and other rows."""
    means = []
    for _ in range(RESAMPLES):
        weights = data.rng.multinomial(data.n, [1 / data.n] * data.n)
        other_weights = data.rng.multinomial(data.count, [1 / data.count] * data.count)
        means.append(data.fit(cells, joint, weights, other_weights)[0])
    half = 1.96 * float(data.numpy.std(means))
    return mean - half, mean + half
