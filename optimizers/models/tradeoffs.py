"""Pick among cascades or routers by quality and cost."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from optimizers.evaluation.pareto import find_front

Floats = npt.NDArray[np.float64]


class HasTradeoff(Protocol):
    """Anything with a quality and a cost."""

    @property
    def quality(self) -> float:
        """Mean score on the examples it was chosen by."""
        ...

    @property
    def cost(self) -> float:
        """Mean dollars of a query."""
        ...


class HasPairedError(HasTradeoff, Protocol):
    """Anything with a quality and a cost that was compared with a reference, row by row."""

    @property
    def error(self) -> float:
        """Standard error of the mean difference from the reference."""
        ...


T = TypeVar("T", bound=HasTradeoff)
E = TypeVar("E", bound=HasPairedError)

# Standard errors by which an option has to stay above the floor: a one-sided test at 5 % then
# succeeds four times in five.
MARGIN = 1.645 + 0.842


def list_front(options: Iterable[T]) -> list[T]:
    """Return the options that no other one beats in quality and cost, the cheapest first.

    Of options with the same quality and cost only the first is returned.
    """
    distinct: dict[tuple[float, float], T] = {}
    for option in options:
        distinct.setdefault((option.cost, -option.quality), option)
    front = find_front(list(distinct), lambda losses: losses)
    return [distinct[losses] for losses in sorted(front)]


def pick_under_cap(
    options: Sequence[T], cap: float, scores: Callable[[T], Floats], simple: Callable[[T], bool]
) -> T | None:
    """Return the best option whose mean cost is at most ``cap`` dollars; ``None`` if none is.

    Among thousands of options some look good by luck, so one that is not simple has to be better
    than the best simple one by a standard error of their difference.

    Args:
        options: What to pick from.
        cap: Highest mean cost of a query, in dollars.
        scores: Returns an option's score on every example.
        simple: Returns whether an option uses a single step for everything.
    """
    affordable = [option for option in options if option.cost <= cap * (1 + 1e-9)]
    if not affordable:
        return None
    best = max(affordable, key=lambda option: (option.quality, -option.cost))
    plain = [option for option in affordable if simple(option)]
    if not plain:
        return best
    best_plain = max(plain, key=lambda option: (option.quality, -option.cost))
    difference = scores(best) - scores(best_plain)
    return best if difference.mean() >= standard_error(difference) else best_plain


def pick_cheapest_close(options: Sequence[E], reference: E, tolerance: float) -> E:
    """Return the cheapest option that a certificate is likely to find about as good.

    Args:
        options: What to pick from.
        reference: What they were compared with.
        tolerance: Mean score that may be given up.

    Returns:
        The cheapest option that is worse by less than ``tolerance``, by enough standard errors
        that as many new examples would probably show it; the reference where there is none.
    """
    floor = reference.quality - tolerance
    safe = [option for option in options if option.quality - floor >= MARGIN * option.error]
    return min(safe, key=lambda option: (option.cost, -option.quality), default=reference)


def standard_error(difference: Floats) -> float:
    """Return the standard error of a mean, as if one more example had differed by 1.

    Without that example, no difference on the rows seen would mean certainty about all others.
    """
    n = len(difference)
    return float(np.sqrt(np.square(difference - difference.mean()).sum() + 1.0) / n)


def thin_out(front: Sequence[T], most: int) -> list[T]:
    """Return at most ``most`` points of a front, evenly spaced, with both ends."""
    if len(front) <= most:
        return list(front)
    return [front[round(place * (len(front) - 1) / (most - 1))] for place in range(most)]
