"""Of plans with a quality and a cost: which one an objective asks for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol, TypeVar


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


def under_cap(found: Sequence[P], cap: float) -> P | None:
    """Return the best plan whose mean cost is at most ``cap`` dollars."""
    within = [plan for plan in found if plan.cost <= cap * (1 + 1e-9)]
    return max(within, key=lambda one: (one.quality, -one.cost)) if within else None


def at_floor(found: Sequence[P], floor: float) -> P:
    """Return the cheapest plan whose mean score is at least ``floor``, or the best one."""
    above = [plan for plan in found if plan.quality >= floor]
    if not above:
        return max(found, key=lambda one: one.quality)
    return min(above, key=lambda one: (one.cost, -one.quality))


def not_worse(found: Sequence[C], reference: float, tolerance: float) -> C:
    """Return the cheapest plan that a certificate is likely to find about as good.

    Args:
        found: Plans.
        reference: Mean score of what they are compared with.
        tolerance: What may be given up of it.

    Returns:
        The cheapest plan that seems worse by less than ``tolerance``, by so many standard errors
        that as much new data again would show it; where there is none, the cheapest that does not
        seem worse at all.
    """
    safe = [one for one in found if one.quality - reference + tolerance >= MARGIN * one.error]
    return (
        min(safe, key=lambda one: (one.cost, -one.quality)) if safe else at_floor(found, reference)
    )


def spread(edge: Sequence[P], most: int) -> list[P]:
    """Return at most ``most`` plans of a front, both ends among them."""
    if len(edge) <= most:
        return list(edge)
    return [edge[round(place * (len(edge) - 1) / (most - 1))] for place in range(most)]
