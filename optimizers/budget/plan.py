"""How much a search may request: the budget minus what is kept for the certificate."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from langprog import Budget
from langprog.lm import Cost

# The largest share of a cap that is reserved for the certificate. Tokens and dollars are reserved
# in full until the cost of a query is known, seconds always.
MAX_RESERVED = 0.35
# The smallest reserved share of tokens or dollars: a round may cost more than any before it.
MIN_RESERVED = 0.15
# The most calls that pruning may take, as a share of those of the search.
MOST_PRUNING = 0.5
# Retries after unreadable replies make a query cost more calls than it has predictors.
REPAIR_MARGIN = 1.1


@dataclass(frozen=True, slots=True)
class BudgetShare:
    """A search's part of the budget.

    Args:
        limit: The most that it may request in total.
        reserve: Returns how much of that to keep for the certificate, as known so far.
    """

    limit: Cost
    reserve: Callable[[], Cost] = Cost

    def subtract(self, requested: Cost) -> Cost:
        """Return what is left to plan with after ``requested``; negative if it was exceeded."""
        return self.limit - requested - self.reserve()

    def is_exceeded_by(self, requested: Cost) -> bool:
        """Return whether ``requested`` is above the limit."""
        return not requested <= self.limit


@dataclass(frozen=True, slots=True)
class BudgetPlan:
    """A budget divided between search and certificate.

    Args:
        search: The most that the search may ever request; what it leaves is for pruning.
        whole: What these and the certificate may request together.
        search_budget: The same as ``search``, as hard caps on what is paid.
        certified_rows: Rows of the holdout that the certificate will use at least, if costs are
            as expected.
    """

    search: Cost
    whole: Cost
    search_budget: Budget
    certified_rows: int

    def limit_pruning(self, requested: Cost) -> Cost:
        """Return the most that pruning may request after the search has ``requested`` so much."""
        left = self.search - requested
        return replace(left, calls=min(left.calls, math.floor(MOST_PRUNING * requested.calls)))

    def reserve(self, pair: Cost | None = None) -> Cost:
        """Return how much of ``search`` has to be kept for the certificate.

        Args:
            pair: Cost of a query of the program plus one of the most expensive candidate;
                ``None`` if nothing was run yet.
        """
        tokens = None if pair is None else pair.tokens
        dollars = None if pair is None else pair.dollars
        return Cost(
            0.0,
            self._reserve(self.whole.tokens, tokens),
            self._reserve(self.whole.dollars, dollars),
        )

    def _reserve(self, cap: float, pair: float | None) -> float:
        if math.isinf(cap):
            return 0.0
        most = (MAX_RESERVED - MIN_RESERVED) * cap
        if pair is None:
            return most
        needed = self.certified_rows * pair * REPAIR_MARGIN
        return min(most, max(0.0, needed - MIN_RESERVED * cap))


def plan_budget(budget: Budget, holdout: int, predictors: int) -> BudgetPlan:
    """Divide ``budget`` between search and certificate, before anything is spent.

    Args:
        budget: The caps.
        holdout: Number of holdout examples; both programs run on each.
        predictors: Predictors in the program: the least calls of one query.
    """
    rows = holdout
    calls = budget.calls
    if calls is not None and predictors:
        each = 2 * predictors * REPAIR_MARGIN
        rows = min(holdout, math.floor(calls * MAX_RESERVED / each))
        calls = calls - math.ceil(rows * each)
    part = 1.0 - MIN_RESERVED
    tokens = None if budget.tokens is None else math.floor(budget.tokens * part)
    dollars = None if budget.dollars is None else budget.dollars * part
    seconds = None if budget.seconds is None else budget.seconds * (1.0 - MAX_RESERVED)
    return BudgetPlan(
        search=_limit(calls, tokens, dollars),
        whole=_limit(budget.calls, budget.tokens, budget.dollars),
        search_budget=Budget(calls=calls, tokens=tokens, dollars=dollars, seconds=seconds),
        certified_rows=rows,
    )


def take_share(limit: Cost, share: float) -> Cost:
    """Return a share of a limit, in whole calls and tokens."""
    return Cost(
        _floor(limit.calls * share), _floor(limit.tokens * share), limit.dollars * share, math.inf
    )


def subtract_spent(budget: Budget, paid: Cost, seconds: float) -> Budget:
    """Return what is left of ``budget`` after what earlier sessions of a compile paid."""
    return Budget(
        calls=None if budget.calls is None else max(0, budget.calls - int(paid.calls)),
        tokens=None if budget.tokens is None else max(0, budget.tokens - int(paid.tokens)),
        dollars=None if budget.dollars is None else max(0.0, budget.dollars - paid.dollars),
        seconds=None if budget.seconds is None else max(0.0, budget.seconds - seconds),
    )


def _limit(calls: float | None, tokens: float | None, dollars: float | None) -> Cost:
    # Only the clock caps time: a search does not plan with it.
    return Cost(
        math.inf if calls is None else calls,
        math.inf if tokens is None else tokens,
        math.inf if dollars is None else dollars,
        math.inf,
    )


def _floor(amount: float) -> float:
    return amount if math.isinf(amount) else math.floor(amount)
