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
from typing import Any, NamedTuple

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
# A shift does not explain the new rows if fewer resamples than this share fit worse than they do.
LEVEL = 0.05
# The cell of each labelled and of each other row, and the number of cells.
Cells = tuple[Any, Any, int]


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
        explained: Whether such a shift may explain the new rows. If not, the assumption is visibly
            wrong (at a level of 5 %), and the interval is the whole range.
    """

    features: tuple[str, ...]
    joint: bool
    mean: float
    interval: tuple[float, float]
    others: tuple[tuple[tuple[str, ...], bool], ...]
    informative: float
    unsupported: float
    explained: bool


class _Fit(NamedTuple):
    """A shift as it was fitted.

    Args:
        mean: Mean score of the other rows.
        gain: Its log-likelihood above that of no shift.
        unsupported: Share of other rows without support.
        mixture: How rows of each cell are distributed over the bins.
        known: Which cells have support.
    """

    mean: float
    gain: float
    unsupported: float
    mixture: Any
    known: Any


class _Candidate(NamedTuple):
    worth: float
    names: tuple[str, ...]
    joint: bool
    cells: Cells
    fit: _Fit


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

    def cells(self, names: Sequence[str]) -> Cells:
        """Return the cell of each row: what it has of these features together."""
        first, second = self.numpy.zeros(self.n, int), self.numpy.zeros(self.count, int)
        size = 1
        for name in names:
            mine, theirs, values = self.codes[name]
            first, second = first * values + mine, second * values + theirs
            size *= values
        return first, second, size

    def count_others(self, cells: Cells, weights: Any) -> Any:
        """Return how many of the other rows are in each cell and bin.

        Args:
            cells: The cell of each row.
            weights: How often each of them counts.
        """
        _, second, size = cells
        counts = (self._count(second, bins, weights, size) for bins in self.other_bins)
        return sum(counts) / FOLDS

    def _count(self, cell: Any, bins: Any, weights: Any, size: int) -> Any:
        flat = self.numpy.bincount(cell * BINS + bins, weights, size * BINS)
        return flat.reshape(size, BINS)

    def fit(self, cells: Cells, joint: bool, weights: Any, new: Any) -> _Fit:
        """Fit a shift.

        Args:
            cells: The cell of each row.
            joint: Whether the scores in a cell have shifted.
            weights: How often each labelled row counts.
            new: How many other rows are in each cell and bin.
        """
        numpy = self.numpy
        first, _, size = cells
        right = self._count(first, self.bins, weights * self.scores, size)
        wrong = self._count(first, self.bins, weights * (1 - self.scores), size)
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
        unsupported = float(new.sum(1)[~known].sum() / new.sum())
        return _Fit(mean, gain, unsupported, both, known)

    def deviance(self, fit: _Fit, new: Any) -> float:
        """Return how far counts are from what a fit expects, as twice a log-likelihood ratio."""
        expected = new.sum(1, keepdims=True) * fit.mixture
        ratio = self.numpy.where(new > 0, new, 1.0) / self.numpy.where(new > 0, expected, 1.0)
        return float(2 * (new * self.numpy.log(ratio))[fit.known].sum())


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
            new = data.count_others(cells, ones[1])
            for joint in (False, True):
                fit = data.fit(cells, joint, ones[0], new)
                free = cells[2] - 1 + (cells[2] if joint else 0)
                # The labelled rows are a sample, too, from which new ones differ by chance; beside
                # that, Akaike's criterion.
                worth = fit.gain / (1 + count / data.n) - free
                fits.append(_Candidate(worth, names, joint, cells, fit))
    best = max(fits, key=lambda candidate: candidate.worth)
    near = [each for each in fits if each.worth >= best.worth - SLACK]
    ends = [_resample(data, each) for each in near]
    # Nothing is known of rows of a kind that was not labelled: they may all be wrong, or right.
    lost = best.fit.unsupported
    explained = any(_explains(data, each) for each in near)
    return Shift(
        features=best.names,
        joint=best.joint,
        mean=best.fit.mean,
        interval=(
            max(0.0, min(low for low, _ in ends)) * (1 - lost),
            min(1.0, max(high for _, high in ends)) * (1 - lost) + lost,
        )
        if explained
        else (0.0, 1.0),
        others=tuple((each.names, each.joint) for each in near if each is not best),
        informative=data.informative,
        unsupported=lost,
        explained=explained,
    )


def _resample(data: _Data, candidate: _Candidate) -> tuple[float, float]:
    """Return the interval by bootstrap over labelled and other rows."""
    means = []
    for _ in range(RESAMPLES):
        weights = data.rng.multinomial(data.n, [1 / data.n] * data.n)
        other_weights = data.rng.multinomial(data.count, [1 / data.count] * data.count)
        new = data.count_others(candidate.cells, other_weights)
        means.append(data.fit(candidate.cells, candidate.joint, weights, new).mean)
    half = 1.96 * float(data.numpy.std(means))
    return candidate.fit.mean - half, candidate.fit.mean + half


def _explains(data: _Data, candidate: _Candidate) -> bool:
    """Return whether the other rows may be as the shift says, by parametric bootstrap.

    As in sequential Monte Carlo tests, it ends as soon as the answer is known.
    """
    fit, numpy = candidate.fit, data.numpy
    new = data.count_others(candidate.cells, numpy.ones(data.count))
    observed, worse = data.deviance(fit, new), 0
    chances = fit.mixture / fit.mixture.sum(1, keepdims=True)
    for _ in range(RESAMPLES):
        weights = data.rng.multinomial(data.n, [1 / data.n] * data.n)
        rows = [
            data.rng.multinomial(round(n), row) for n, row in zip(new.sum(1), chances, strict=True)
        ]
        drawn = numpy.array(rows, dtype=float)
        again = data.fit(candidate.cells, candidate.joint, weights, drawn)
        worse += data.deviance(again, drawn) >= observed
        if 1 + worse > LEVEL * (RESAMPLES + 1):
            return True
    return False
