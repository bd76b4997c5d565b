"""For what share of queries is a program cheaper or quicker?"""

from __future__ import annotations

import importlib
from dataclasses import dataclass

from langprog.evaluation.statistics.mean_difference import LEVEL, check_level
from langprog.evaluation.statistics.pairs import PairedCosts


@dataclass(frozen=True, slots=True)
class ShareTest:
    """Whether most clusters took less.

    Args:
        share: Share of the clusters for which the second program took less.
        bound: Lower bound for that share; it exceeds the truth with a chance of ``level`` at most.
        p_value: P-value of the hypothesis that at most half of all clusters take less.
        level: The level of the bound.
    """

    share: float
    bound: float
    p_value: float
    level: float


def bound_share(costs: PairedCosts, *, level: float = LEVEL) -> ShareTest:
    """Test whether the second program takes less for most clusters.

    The test rejects at ``level`` exactly where the bound lies at or above one half.

    Follows: the sign test, and Clopper and Pearson (1934) for the bound. Differs: a tie counts
    against the claim, as a query that costs the same is not cheaper.

    Args:
        costs: What both programs took.
        level: How often the bound may lie above the truth.

    Raises:
        InputError: The level is not between 0 and 1/2.
    """
    check_level(level)
    special = importlib.import_module("scipy.special")
    smaller, n = costs.smaller, costs.n
    if smaller == 0:
        return ShareTest(0.0, 0.0, 1.0, level)
    return ShareTest(
        share=smaller / n,
        bound=float(special.betaincinv(smaller, n - smaller + 1, level)),
        p_value=float(special.betainc(smaller, n - smaller + 1, 0.5)),
        level=level,
    )
