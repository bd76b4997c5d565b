"""How much a search may ask for: the budget without the reserve for the certificate."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from langprog import Budget
from optimizers.meter import Metered
from optimizers.scoring import QueryCost

# The largest share of a cap that is kept for the certificate; all of it is, in tokens and dollars,
# until it is known what a query takes, and of a cap in seconds always.
MOST_RESERVED = 0.35
# The smallest share of a cap in tokens or dollars: a round may turn out dearer than any before.
LEAST_RESERVED = 0.15
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


def _nothing() -> Allowance:
    return Allowance(0.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Share:
    """A search's part of the budget.

    Args:
        most: What it may ask for in all.
        kept: Says what it plans to leave of that, as far as it is known at the moment.
    """

    most: Allowance
    kept: Callable[[], Allowance] = _nothing

    def left(self, asked: Metered) -> Allowance:
        """Return what is left to plan with after ``asked``."""
        return self.most.less(asked).without(self.kept())

    def passed(self, asked: Metered) -> bool:
        """Return whether ``asked`` is more than there was."""
        return not self.most.less(asked).covers(0.0)


def _difference(whole: float | None, part: float | None) -> float | None:
    return None if whole is None or part is None else whole - part


@dataclass(frozen=True, slots=True)
class Plan:
    """A budget in two parts.

    Args:
        search: The most that the search may ever ask for.
        whole: What search and certificate may ask for together.
        search_budget: The same as ``search``, as hard caps on what is paid.
        certified_rows: Rows of the holdout that the certificate will use.
    """

    search: Allowance
    whole: Allowance
    search_budget: Budget
    certified_rows: int

    def kept(self, pair: QueryCost | None = None) -> Allowance:
        """Return what of ``search`` is kept for the certificate after all.

        Args:
            pair: What a query of the program and one of the dearest candidate take together;
                ``None`` where nothing was run yet.
        """
        tokens = None if pair is None else pair.tokens
        dollars = None if pair is None else pair.dollars
        return Allowance(
            0.0, self._kept(self.whole.tokens, tokens), self._kept(self.whole.dollars, dollars)
        )

    def _kept(self, cap: float | None, pair: float | None) -> float:
        if cap is None:
            return 0.0
        most = (MOST_RESERVED - LEAST_RESERVED) * cap
        if pair is None:
            return most
        return min(most, max(0.0, self.certified_rows * pair * SPARE - LEAST_RESERVED * cap))


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
        rows = min(holdout, math.floor(calls * MOST_RESERVED / each))
        calls = calls - math.ceil(rows * each)
    part = 1.0 - LEAST_RESERVED
    tokens = None if budget.tokens is None else math.floor(budget.tokens * part)
    dollars = None if budget.dollars is None else budget.dollars * part
    seconds = None if budget.seconds is None else budget.seconds * (1.0 - MOST_RESERVED)
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
