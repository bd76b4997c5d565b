"""Of plans with a quality and a cost: which one an objective asks for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol, TypeVar

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


class Weighed(Protocol):
    """A plan, and what it comes to."""

    @property
    def quality(self) -> float:
        """Mean score."""
        ...

    @property
    def cost(self) -> float:
        """Mean dollars."""
        ...


class Compared(Weighed, Protocol):
    """A plan that was compared with a reference, example by example."""

    @property
    def error(self) -> float:
        """Standard error of the mean difference."""
        ...


P = TypeVar("P", bound=Weighed)
C = TypeVar("C", bound=Compared)

# Standard errors between what is given up and what may be: one-sided 5 % and four times in five.
MARGIN = 1.645 + 0.842


def front(found: Iterable[P]) -> list[P]:
    """Return the plans that none is better and cheaper than, the cheapest first."""
    edge: list[P] = []
    for plan in sorted(found, key=lambda one: (one.cost, -one.quality)):
        if not edge or plan.quality > edge[-1].quality:
            edge.append(plan)
    return edge


def under_cap(
    found: Sequence[P], cap: float, scores: Callable[[P], Floats], simple: Callable[[P], bool]
) -> P | None:
    """Return the best plan whose mean cost is at most ``cap`` dollars; ``None`` if there is none.

    Of thousands of plans some look good by luck: a plan that is not simple has to be better than
    the best simple one by a standard error of their difference.

    Args:
        found: Plans.
        cap: Mean dollars at most.
        scores: A plan's score on every example.
        simple: Whether a plan asks one step for everything.
    """
    within = [plan for plan in found if plan.cost <= cap * (1 + 1e-9)]
    if not within:
        return None
    best = max(within, key=lambda one: (one.quality, -one.cost))
    plain = [plan for plan in within if simple(plan)]
    if not plain:
        return best
    plainest = max(plain, key=lambda one: (one.quality, -one.cost))
    difference = scores(best) - scores(plainest)
    return best if difference.mean() >= standard_error(difference) else plainest


def not_worse(found: Sequence[C], reference: C, tolerance: float) -> C:
    """Return the cheapest plan that a certificate is likely to find about as good.

    Args:
        found: Plans.
        reference: What they are compared with.
        tolerance: What may be given up of its mean score.

    Returns:
        The cheapest plan that seems worse by less than ``tolerance``, by so many standard errors
        that as much new data again would show it; the reference where there is none.
    """
    floor = reference.quality - tolerance
    safe = [one for one in found if one.quality - floor >= MARGIN * one.error]
    return min(safe, key=lambda one: (one.cost, -one.quality), default=reference)


def standard_error(difference: Floats) -> float:
    """Return the standard error of a mean, as if one more example had differed by 1.

    Where no example differs, the others that nobody has seen may.
    """
    n = len(difference)
    return float(np.sqrt(np.square(difference - difference.mean()).sum() + 1.0) / n)


def spread(edge: Sequence[P], most: int) -> list[P]:
    """Return at most ``most`` plans of a front, both ends among them."""
    if len(edge) <= most:
        return list(edge)
    return [edge[round(place * (len(edge) - 1) / (most - 1))] for place in range(most)]
