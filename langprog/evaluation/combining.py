"""One metric out of several, and metrics of a whole data set."""

from __future__ import annotations

import inspect
import math
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, SupportsFloat

from langprog.errors import InputError, MetricError
from langprog.evaluation.metrics import exact
from langprog.evaluation.ranges import UNIT, Range, check_range, range_of
from langprog.evaluation.score import (
    Metric,
    Score,
    as_score,
    check_metric,
    metric_name,
    with_two_arguments,
)
from langprog.example import Example
from langprog.knobs import check_argument, takes_items, takes_number
from langprog.lm import redact
from langprog.modules import Prediction

SetRows = Sequence[tuple[Example, Prediction | None]]
LabelPair = tuple[str, str | None]


def all_of(
    *metrics: Callable[[Example, Prediction], Any], weights: Sequence[float] | None = None
) -> Metric:
    """Return a metric made of several, with all their feedback.

    Args:
        *metrics: The metrics.
        weights: How much each counts in the weighted mean; left out, the lowest score counts.

    Raises:
        InputError: No metric is given, one is of a whole data set, the weights do not fit, or the
            lowest of scores on different ranges is asked for.
        MetricError: One of them is not a metric.
    """
    if not metrics:
        raise InputError("all_of needs at least one metric")
    for each in metrics:
        check_metric(each)
        _refuse_dataset_metric(each, "all_of combines")
    ranges = [range_of(each) for each in metrics]
    if weights is None and len(set(ranges)) > 1:
        raise InputError(
            "the metrics have different ranges, so their lowest score says nothing: give "
            "weights=[...], or scale them to lie between 0 and 1"
        )
    shares = None if weights is None else _check_weights(weights, len(metrics))
    called = [with_two_arguments(each) for each in metrics]

    def metric(example: Example, prediction: Prediction) -> Score | Awaitable[Score]:
        results: list[Any] = []
        try:
            for each in called:
                results.append(each(example, prediction))
        except BaseException:
            for result in results:
                if inspect.iscoroutine(result):
                    result.close()
            raise
        if any(inspect.isawaitable(result) for result in results):
            return _await_all(results, shares)
        return _combine(results, shares)

    names = ", ".join(metric_name(each) for each in metrics)
    metric.__qualname__ = f"all_of({names})"
    metric.score_range = _combine_ranges(ranges, shares)  # type: ignore[attr-defined]  # see ranges
    metric.check_row = partial(_check_row, metrics)  # type: ignore[attr-defined]  # see scorable
    return metric


def _check_row(
    metrics: Sequence[Metric], example: Example, outputs: Collection[str] | None
) -> None:
    """Check that each of these metrics finds the fields that it compares.

    Raises:
        MetricError: One does not.
    """
    for each in metrics:
        check = getattr(each, "check_row", None)
        if check is not None:
            check(example, outputs)


async def _await_all(results: Sequence[Any], shares: Sequence[float] | None) -> Score:
    awaited = [await result if inspect.isawaitable(result) else result for result in results]
    return _combine(awaited, shares)


def _combine(results: Sequence[Any], shares: Sequence[float] | None) -> Score:
    scores = [as_score(result) for result in results]
    words = [score.feedback for score in scores if score.feedback]
    values = [score.value for score in scores]
    value = min(values) if shares is None else _weighted_sum(shares, values)
    return Score(value, "; ".join(words) or None)


def _combine_ranges(ranges: Sequence[Range], shares: Sequence[float] | None) -> Range:
    if shares is None:
        return ranges[0]
    lows, highs = ([bounds[side] for bounds in ranges] for side in (0, 1))
    return _weighted_sum(shares, lows), _weighted_sum(shares, highs)


def _weighted_sum(shares: Sequence[float], values: Sequence[float]) -> float:
    return math.fsum(share * value for share, value in zip(shares, values, strict=True))


def _check_weights(weights: Sequence[float], count: int) -> list[float]:
    takes = takes_items(takes_number(0, above=True))
    check_argument("all_of", "weights", weights, takes)
    if len(weights) != count:
        raise InputError(f"{len(weights)} weights for {count} metrics: give one for each")
    return [weight / math.fsum(weights) for weight in weights]


@dataclass(frozen=True)
class DatasetMetric:
    """A metric of a whole data set, such as macro F1, rather than a mean over its rows.

    As a metric it scores one row, which steers a search; a certificate tests the data set's score.
    For that only ``better`` can be shown, by exchanging the outputs of both programs: no test
    says that such a score is not worse by more than a tolerance.

    Args:
        function: Scores rows, each an example and its prediction (``None`` where it failed);
            higher is better.
        row: Scores a single row.
        score_range: The worst and the best score of a row.
        name: How it is called.
        read: Takes from an example and its prediction what ``function`` gets of a row in their
            place: a test scores thousands of mixtures of the same rows.
    """

    function: Callable[[Sequence[Any]], float]
    row: Metric
    score_range: Range = UNIT
    name: str = ""
    read: Callable[[Example, Prediction | None], Any] | None = None

    def __post_init__(self) -> None:
        # By which metric_name() knows it.
        object.__setattr__(self, "__qualname__", self.name or metric_name(self.function))

    def __call__(self, example: Example, prediction: Prediction) -> Any:
        """Score one row."""
        return with_two_arguments(self.row)(example, prediction)

    def check_row(self, example: Example, outputs: Collection[str] | None) -> None:
        """Check that the metric of single rows will find the fields that it compares.

        Raises:
            MetricError: It will not.
        """
        _check_row((self.row,), example, outputs)

    def score_rows(self, rows: SetRows) -> float:
        """Return the score of a data set.

        Raises:
            MetricError: The function raises, or returns something that is not a finite number.
        """
        return self.score_read(self.read_rows(rows))

    def read_rows(self, rows: SetRows) -> list[Any]:
        """Return what the function gets of each row.

        Raises:
            MetricError: A row cannot be read.
        """
        if self.read is None:
            return list(rows)
        with self._own_errors(len(rows)):
            return [self.read(example, prediction) for example, prediction in rows]

    def score_read(self, rows: Sequence[Any]) -> float:
        """Return the score of rows that were read.

        Raises:
            MetricError: The function raises, or returns something that is not a finite number.
        """
        with self._own_errors(len(rows)):
            value: Any = self.function(list(rows))  # which it may sort
        name = metric_name(self)
        if inspect.iscoroutine(value):
            value.close()
        if not isinstance(value, int | float | SupportsFloat):
            raise MetricError(
                f"{name} must return one number for all rows, not {type(value).__name__}"
            )
        number = float(value)
        if not math.isfinite(number):
            raise MetricError(f"{name} must return a finite number, not {number!r}")
        return number

    @contextmanager
    def _own_errors(self, count: int) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            if isinstance(error, MetricError):
                raise
            what = f"{type(error).__name__}: {error}"
            name = metric_name(self)
            raise MetricError(redact(f"{name} failed on {count} rows: {what}")) from error


def dataset_metric(
    function: Any = None, /, *, row: Metric | None = None
) -> Callable[[Callable[[SetRows], float]], DatasetMetric]:
    """Declare a metric of a whole data set.

    Args:
        function: Not taken: there is no such metric without ``row``.
        row: Scores a single row; steers a search.

    Raises:
        MetricError: ``row`` is not a metric, or the function is async.
        InputError: ``row`` is missing, or is itself a metric of a whole data set.

    Example::

        @lp.dataset_metric(row=exact("team"))
        def worst_team(rows):
            ...
    """
    if function is not None or row is None:
        raise InputError(
            "lp.dataset_metric needs a metric of single rows, which steers a search: write "
            "@lp.dataset_metric(row=exact('team'))"
        )
    check_metric(row)
    _refuse_dataset_metric(row, "row= takes")

    def declare(function: Callable[[SetRows], float]) -> DatasetMetric:
        if not callable(function) or inspect.iscoroutinefunction(function):
            raise MetricError(
                f"a metric of a whole data set is a plain function of its rows, which "
                f"{metric_name(function)} is not"
            )
        return DatasetMetric(function, row, check_range(range_of(row)))

    return declare


def _refuse_dataset_metric(metric: Metric, what: str) -> None:
    if isinstance(metric, DatasetMetric):
        raise InputError(
            f"{what} metrics of single rows, and {metric_name(metric)} is a score of the whole "
            "data set, which no score of a row stands for: use it alone"
        )


def macro_f1(field: str) -> DatasetMetric:
    """Return macro F1 of a field: the mean over its labels of each label's F1.

    Labels are equal as for ``exact``, which scores single rows. A failed prediction counts as
    wrong for the label it misses.
    """

    def score(pairs: Sequence[LabelPair]) -> float:
        counts = Counter(pairs)
        truth, given = Counter[str](), Counter[str]()
        for (wanted, got), count in counts.items():
            truth[wanted] += count
            if got is not None:
                given[got] += count
        labels = truth.keys() | given.keys()
        values = (2 * counts[label, label] / (truth[label] + given[label]) for label in labels)
        return math.fsum(values) / max(1, len(labels))

    return DatasetMetric(
        score, exact(field), name=f"macro_f1({field})", read=partial(_label_pair, field)
    )


def matthews(field: str) -> DatasetMetric:
    """Return the Matthews correlation of a field, for any number of labels.

    Follows: Gorodkin (2004), Comparing two K-category assignments by a K-category correlation
    coefficient. Differs: 0 where one side has a single label; a failed prediction is a label of
    its own.
    """

    def score(pairs: Sequence[LabelPair]) -> float:
        truth, given = Counter(pair[0] for pair in pairs), Counter(pair[1] for pair in pairs)
        count, right = len(pairs), sum(wanted == got for wanted, got in pairs)
        both = sum(truth[label] * given[label] for label in truth)
        spread = (count**2 - sum(n * n for n in truth.values())) * (
            count**2 - sum(n * n for n in given.values())
        )
        return (right * count - both) / math.sqrt(spread) if spread else 0.0

    return DatasetMetric(
        score, exact(field), name=f"matthews({field})", read=partial(_label_pair, field)
    )


def kappa(field: str) -> DatasetMetric:
    """Return the agreement with the labels of a field, corrected for chance.

    Follows: Cohen (1960), A Coefficient of Agreement for Nominal Scales. Differs: 0 where both
    sides have one and the same label; a failed prediction is a label of its own.
    """

    def score(pairs: Sequence[LabelPair]) -> float:
        truth, given = Counter(pair[0] for pair in pairs), Counter(pair[1] for pair in pairs)
        count, right = len(pairs), sum(wanted == got for wanted, got in pairs)
        chance = sum(truth[label] * given[label] for label in truth) / max(1, count)
        return (right - chance) / (count - chance) if count > chance else 0.0

    return DatasetMetric(
        score, exact(field), name=f"kappa({field})", read=partial(_label_pair, field)
    )


def _label_pair(field: str, example: Example, prediction: Prediction | None) -> LabelPair:
    """Return the wanted and the given label of a row."""
    given = None if prediction is None else prediction.to_dict().get(field)
    return _label(example[field]), None if given is None else _label(given)


def _label(value: Any) -> str:
    """Return the name of a class; one label of a file and of a reply has one name."""
    plain = getattr(value, "value", value)  # of an Enum
    if isinstance(plain, float) and plain.is_integer():
        plain = int(plain)
    return str(plain).strip().casefold()
