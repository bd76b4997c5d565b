"""The mean of labels, of which there are few, with the help of a judge who has seen every row."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from statistics import fmean

from langprog.errors import InputError
from langprog.estimation.estimate import Interval, MeanEstimate
from langprog.estimation.numbers import check_bounds, read_numbers
from langprog.evaluation import UNIT, Report, check_range, mean_interval, student_quantile

FEWEST_PAIRS = 10
QUANTILE = 0.975
# Where nothing is known.
EVERYTHING = (-math.inf, math.inf)


def estimate_mean(
    judge_scores: Report | Sequence[float | None],
    labels: Sequence[float | None],
    *,
    clusters: Sequence[Hashable] | None = None,
    score_range: tuple[float, float] | None = None,
) -> MeanEstimate:
    """Estimate the mean label of the population that the rows are drawn from.

    Whatever the judge is worth, the interval holds: the labels correct its bias, and it is used
    only as far as it goes along with them. Its scores may be on another scale than the labels.

    Follows: Angelopoulos, Duchi and Zrnic (2023), PPI++, with power tuning, as ARES (Saad-Falcon
    et al., 2024) does for judges. Differs: the interval is Student's t, with a pseudo-observation
    spread over both ends of the range as in ``mean_interval``; the tuned weight may be negative or
    above 1; a missing score counts as the judge's mean, which costs width and no validity; and
    below ten labels the judge is left aside.

    Args:
        judge_scores: The judge's score of every row, ``None`` where it has none; or the report of
            an evaluation by the judge.
        labels: The true score of every row, ``None`` where nobody has given any.
        clusters: The cluster of each row: rows of one cluster are a single observation. By default
            each row is one of its own; in a report, those that have the same inputs share one.
        score_range: The lowest and the highest label; by default 0 to 1 if all lie there, else
            none, and then labels that are all the same have an interval without ends.

    Raises:
        InputError: The lists differ in length, something in them is not a number, a label is
            outside the range, or there is no label.
    """
    scores, names = _read_scores(judge_scores, clusters)
    known = read_numbers(labels, "labels")
    if len(scores) != len(known):
        raise InputError(
            f"{len(scores)} judge scores and {len(known)} labels: give both for every row, with "
            "None where a row has no label"
        )
    values = [label for label in known if label is not None]
    if not values:
        raise InputError(
            "there is no label: label some rows that are drawn at random, or there is nothing to "
            "correct the judge by"
        )
    bounds = _check_labels(values, score_range)
    return _Pairs.of(scores, known, names).estimate(bounds, _count_missing(scores))


def _read_scores(
    judge_scores: Report | Sequence[float | None], clusters: Sequence[Hashable] | None
) -> tuple[list[float | None], Sequence[Hashable]]:
    if isinstance(judge_scores, Report):
        rows = judge_scores.rows
        scores = [None if row.score is None else row.score.value for row in rows]
        names: Sequence[Hashable] = judge_scores.clusters if clusters is None else clusters
    else:
        scores = read_numbers(judge_scores, "judge_scores")
        names = range(len(scores)) if clusters is None else clusters
    if len(names) != len(scores):
        raise InputError(f"{len(names)} clusters for {len(scores)} rows: give one a row")
    return scores, names


def _check_labels(
    values: Sequence[float], score_range: tuple[float, float] | None
) -> tuple[float, float] | None:
    if score_range is not None:
        bounds = check_range(score_range)
        check_bounds(values, bounds, "labels")
        return bounds
    return UNIT if all(0 <= value <= 1 for value in values) else None


def _count_missing(scores: Sequence[float | None]) -> int:
    return sum(score is None for score in scores)


@dataclass(frozen=True, slots=True)
class _Pairs:
    """What is known of each cluster.

    Args:
        labels: The labels, of the clusters that have any.
        judged: The judge's scores of the same clusters.
        others: The judge's scores of all other clusters.
    """

    labels: list[float]
    judged: list[float]
    others: list[float]

    @classmethod
    def of(
        cls,
        scores: Sequence[float | None],
        labels: Sequence[float | None],
        names: Sequence[Hashable],
    ) -> _Pairs:
        seen = [score for score in scores if score is not None]
        usual = fmean(seen) if seen else 0.0
        filled = [usual if score is None else score for score in scores]
        if isinstance(names, range):  # no row shares its cluster
            rows = list(zip(labels, filled, strict=True))
            return cls(
                [label for label, _ in rows if label is not None],
                [score for label, score in rows if label is not None],
                [score for label, score in rows if label is None],
            )
        groups: dict[Hashable, tuple[list[float], list[float]]] = {}
        for name, score, label in zip(names, filled, labels, strict=True):
            judged, known = groups.setdefault(name, ([], []))
            judged.append(score)
            known.extend([] if label is None else [label])
        both = [(fmean(known), fmean(judged)) for judged, known in groups.values() if known]
        others = [fmean(judged) for judged, known in groups.values() if not known]
        return cls([label for label, _ in both], [score for _, score in both], others)

    @property
    def weight(self) -> float:
        """How far the judge is used: the weight that makes the estimate's variance least."""
        n, others = len(self.labels), len(self.others)
        if n < FEWEST_PAIRS or not others or min(self.judged) == max(self.judged):
            return 0.0
        middle, score = fmean(self.labels), fmean(self.judged)
        together = sum(
            (y - middle) * (f - score) for y, f in zip(self.labels, self.judged, strict=True)
        )
        return together / sum((f - score) ** 2 for f in self.judged) * others / (others + n)

    def estimate(self, bounds: tuple[float, float] | None, missing: int) -> MeanEstimate:
        n, weight = len(self.labels), self.weight
        same = bounds is None and min(self.labels) == max(self.labels)
        alone = EVERYTHING if same else mean_interval(self.labels, score_range=bounds)
        mean, interval = fmean(self.labels), alone
        if weight:
            level = weight * fmean(self.others)
            corrected = [
                y - weight * f + level for y, f in zip(self.labels, self.judged, strict=True)
            ]
            mean = fmean(corrected)
            spread = weight**2 * _variance(self.others) / len(self.others)
            interval = _interval(corrected, spread, bounds)
        notes = [f"{missing:,} rows have no judge score; the judge's mean stands in."] * (
            missing > 0
        )
        notes += [
            "All labels are the same, which says nothing of how far they spread: give score_range."
        ] * same
        notes += _describe_weight(weight, n, len(self.others), self.judged)
        return MeanEstimate(
            mean=mean,
            interval=interval,
            labels=n,
            rows=n + len(self.others),
            assumes="the labelled rows were drawn at random from all rows, and that the labels "
            "are right; it holds for many labels, and was measured from 100 on",
            labels_alone=(fmean(self.labels), alone),
            notes=tuple(notes),
        )


def _describe_weight(weight: float, n: int, others: int, judged: Sequence[float]) -> list[str]:
    if weight:
        return []
    if not others:
        return ["Every row has a label, so the judge adds nothing."]
    if n < FEWEST_PAIRS:
        return [f"Below {FEWEST_PAIRS} labels the judge is not used."]
    if min(judged) == max(judged):
        return ["The judge says the same of every labelled row, so it is not used."]
    return ["The judge does not go along with the labels, so it is not used."]


def _variance(values: Sequence[float]) -> float:
    if len(values) < 2:
        return 0.0
    middle = fmean(values)
    return sum((value - middle) ** 2 for value in values) / (len(values) - 1)


def _interval(
    corrected: Sequence[float], spread: float, bounds: tuple[float, float] | None
) -> Interval:
    """Return the interval of the mean of corrected labels.

    Args:
        corrected: Labels, each with the judge's correction.
        spread: Variance of the mean that comes from the rows without labels.
        bounds: The range of the labels.
    """
    n = len(corrected)
    pairs = [(value, 1.0) for value in corrected]
    if bounds is not None:
        pairs += [(end, 0.5) for end in bounds]
    total = sum(weight for _, weight in pairs)
    middle = sum(value * weight for value, weight in pairs) / total
    squares = sum(weight * (value - middle) ** 2 for value, weight in pairs)
    # The weight of the judge was fitted, which costs a degree of freedom.
    error = math.sqrt(squares / (total - 2) / total + spread)
    half = student_quantile(QUANTILE, n - 2) * error
    low, high = middle - half, middle + half
    if bounds is None:
        return low, high
    return max(bounds[0], low), min(bounds[1], high)
