"""How often intervals contain the truth, and how wide they are."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from langprog.estimation import MeanEstimate


@dataclass(frozen=True)
class Coverage:
    """Intervals that were drawn many times, beside those from labels alone.

    Args:
        draws: How many.
        held: Share of the intervals that contained the truth.
        width: Their mean width.
        alone_held: The share for labels alone.
        alone_width: The mean width for labels alone.
        error: Mean absolute error of the estimate.
        alone_error: The same for labels alone.
    """

    draws: int
    held: float
    width: float
    alone_held: float
    alone_width: float
    error: float
    alone_error: float

    def cells(self) -> tuple[str, ...]:
        """Return it as cells of a table."""
        return (
            f"{100 * self.held:.1f} ± {100 * _error(self.held, self.draws):.1f}",
            f"{100 * self.alone_held:.1f}",
            f"{self.width:.3f}",
            f"{self.alone_width:.3f}",
            f"{self.width / self.alone_width:.2f}",
            f"{(self.width / self.alone_width) ** 2:.2f}",
        )


HEAD = (
    "held, %",
    "labels alone held, %",
    "width",
    "labels alone",
    "ratio",
    "labels needed for the same width",
)


def _error(share: float, draws: int) -> float:
    """Return 1.96 standard errors of a share."""
    return 1.96 * math.sqrt(share * (1 - share) / draws)


def measure_coverage(
    truth: float, draws: int, draw: Callable[[int], tuple[MeanEstimate, Any]]
) -> Coverage:
    """Draw intervals, and count how often they contain the truth.

    Args:
        truth: What they should contain.
        draws: How often.
        draw: Gives an estimate, and the mean and interval of labels alone, by the draw's number.
    """
    held, alone_held = 0, 0
    widths, alone_widths, errors, alone_errors = [], [], [], []
    for number in range(draws):
        estimate, (mean, (low, high)) = draw(number)
        held += _contains(estimate.interval, truth)
        alone_held += _contains((low, high), truth)
        widths.append(estimate.interval[1] - estimate.interval[0])
        alone_widths.append(high - low)
        errors.append(abs(estimate.mean - truth))
        alone_errors.append(abs(mean - truth))
    return Coverage(
        draws,
        held / draws,
        fmean(widths),
        alone_held / draws,
        fmean(alone_widths),
        fmean(errors),
        fmean(alone_errors),
    )


def _contains(interval: tuple[float, float], truth: float) -> bool:
    # A batch that was asked about whole has an interval of no width.
    return interval[0] - 1e-9 <= truth <= interval[1] + 1e-9
