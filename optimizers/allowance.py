"""How much a search may ask for: the budget without the reserve for the certificate."""

from __future__ import annotations

import math
from dataclasses import dataclass

from langprog import Budget
from optimizers.meter import Metered

# What the certificate keeps of a cap in tokens, dollars or seconds, where the price of a program
# that is not yet found cannot be known; and the most that it keeps of a cap in calls.
RESERVED = 0.35
MOST_RESERVED_CALLS = 0.35
# Repairs of unreadable replies make a query dearer than the number of its predictors says.
SPARE = 1.1


@dataclass(frozen=True, slots=True)
class Allowance:
    """Most that may be asked for; ``None`` where there is no cap.

    Args:
        calls: Distinct requests.
        tokens: Prompt and completion tokens together.
        dollars: Dollars.
    """

    calls: float | None = None
    tokens: float | None = None
    dollars: float | None = None

    def less(self, spent: Metered) -> Allowance:
        """Return what is left after ``spent``; negative where it was passed."""
        return Allowance(
            None if self.calls is None else self.calls - spent.calls,
            None if self.tokens is None else self.tokens - spent.tokens,
            None if self.dollars is None else self.dollars - (spent.dollars or 0.0),
        )

    def without(self, part: Allowance) -> Allowance:
        """Return what is left beside ``part``."""
        return Allowance(
            _difference(self.calls, part.calls),
            _difference(self.tokens, part.tokens),
            _difference(self.dollars, part.dollars),
        )

    def times(self, share: float) -> Allowance:
        """Return a share of it."""
        return Allowance(
            None if self.calls is None else math.floor(self.calls * share),
            None if self.tokens is None else math.floor(self.tokens * share),
            None if self.dollars is None else self.dollars * share,
        )

    def covers(self, calls: float, tokens: float = 0.0, dollars: float = 0.0) -> bool:
        """Return whether it is enough for that much."""
        return (
            (self.calls is None or calls <= self.calls)
            and (self.tokens is None or tokens <= self.tokens)
            and (self.dollars is None or dollars <= self.dollars)
        )

    def times_covered(self, calls: float, tokens: float = 0.0, dollars: float = 0.0) -> float:
        """Return how many times over it is enough for that much; ``inf`` where uncapped."""
        ratios = [
            cap / need
            for cap, need in (
                (self.calls, calls),
                (self.tokens, tokens),
                (self.dollars, dollars),
            )
            if cap is not None and need > 0
        ]
        return min(ratios, default=math.inf)


def _difference(whole: float | None, part: float | None) -> float | None:
    return None if whole is None or part is None else whole - part


@dataclass(frozen=True, slots=True)
class Plan:
    """A budget in two parts.

    Args:
        search: What the search may ask for.
        whole: What search and certificate may ask for together.
        search_budget: The same as ``search``, as hard caps on what is paid.
        certified_rows: Rows of the holdout that the certificate will use.
    """

    search: Allowance
    whole: Allowance
    search_budget: Budget
    certified_rows: int


def plan(budget: Budget, holdout: int, predictors: int) -> Plan:
    """Divide ``budget`` between search and certificate, before anything is spent.

    Args:
        budget: The caps.
        holdout: Examples in the holdout; each is asked of the program before and after.
        predictors: Predictors in the program: calls that one query takes at least.
    """
    rows = holdout
    calls = budget.calls
    if calls is not None:
        each = 2 * predictors * SPARE
        rows = min(holdout, math.floor(calls * MOST_RESERVED_CALLS / each))
        calls = calls - math.ceil(rows * each)
    kept = 1.0 - RESERVED
    tokens = None if budget.tokens is None else math.floor(budget.tokens * kept)
    dollars = None if budget.dollars is None else budget.dollars * kept
    seconds = None if budget.seconds is None else budget.seconds * kept
    return Plan(
        search=Allowance(calls, tokens, dollars),
        whole=Allowance(budget.calls, budget.tokens, budget.dollars),
        search_budget=Budget(calls=calls, tokens=tokens, dollars=dollars, seconds=seconds),
        certified_rows=rows,
    )


def unpaid(budget: Budget, paid: Metered, seconds: float) -> Budget:
    """Return what is left of ``budget`` after what earlier sessions of a compile paid."""
    return Budget(
        calls=None if budget.calls is None else max(0, budget.calls - paid.calls),
        tokens=None if budget.tokens is None else max(0, budget.tokens - paid.tokens),
        dollars=(
            None if budget.dollars is None else max(0.0, budget.dollars - (paid.dollars or 0.0))
        ),
        seconds=None if budget.seconds is None else max(0.0, budget.seconds - seconds),
    )
