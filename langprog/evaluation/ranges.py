"""The range of a metric: its worst and its best possible score."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeVar, overload

from langprog.errors import InputError, MetricError
from langprog.hints import with_hints

F = TypeVar("F", bound=Callable[..., Any])
Range = tuple[float, float]

UNIT: Range = (0.0, 1.0)
# Weighted sums and means miss the ends of their range by rounding.
ROUNDING = 1e-9


@overload
def metric(function: F, /) -> F: ...


@overload
def metric(*, range: Range = UNIT) -> Callable[[F], F]: ...


@with_hints(dict.fromkeys(("low", "high", "max", "min", "scale"), "write range=(low, high)"))
def metric(function: Any = None, /, *, range: Range = UNIT) -> Any:
    """Declare the range of a metric whose scores do not lie between 0 and 1.

    Args:
        function: The metric, where this is written without brackets: its scores then lie between
            0 and 1, as they do without a decorator.
        range: The worst and the best score.

    Returns:
        A decorator that returns the function itself; with a function, the function.

    Raises:
        InputError: The range is not two finite numbers, the lower one first, or what is decorated
            is not a function.

    Example::

        @lp.metric(range=(1, 5))
        def grade(example, prediction):
            return prediction.stars
    """
    bounds = check_range(range)

    def declare(function: F) -> F:
        try:
            # An attribute, not a wrapper: the function stays async, named and importable.
            function.score_range = bounds  # type: ignore[attr-defined]  # functions take them
        except (AttributeError, TypeError):
            function = None  # type: ignore[assignment]  # refused below
        if not callable(function):
            raise InputError(
                "lp.metric declares the range of a function of yours: write "
                "@lp.metric(range=(1, 5)) above def grade(example, prediction)"
            )
        return function

    return declare if function is None else declare(function)


def check_range(range: Any) -> Range:
    """Return a range as two floats.

    Raises:
        InputError: It is not two finite numbers, the lower one first.
    """
    try:
        low, high = (float(bound) for bound in range)
    except (TypeError, ValueError):
        low = high = math.nan
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise InputError(
            f"range={range!r}: write the worst and the best score, such as range=(1, 5)"
        )
    return low, high


def range_of(metric: Any) -> Range:
    """Return the range that a metric declares; 0 to 1 where it declares none."""
    declared = getattr(metric, "score_range", None)
    return UNIT if declared is None else check_range(declared)


def clip_to_range(value: float, range: Range) -> float:
    """Return a score inside ``range``.

    Raises:
        MetricError: It is outside by more than a rounding error.
    """
    low, high = range
    slack = ROUNDING * max(1.0, abs(low), abs(high))
    if low - slack <= value <= high + slack:
        return min(max(value, low), high)
    raise MetricError(
        f"it returned {value!r}, and its range is {low:g} to {high:g}: declare the range, "
        "@lp.metric(range=(worst, best)), or scale the score to lie between 0 and 1"
    )
