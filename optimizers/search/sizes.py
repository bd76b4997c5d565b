"""Choose the sizes of a search: from ``auto``, cut down to what the budget pays for."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Literal

Auto = Literal["light", "medium", "heavy"]

# Small, so that more points are tried; the next block shows whether the first was luck.
FIRST_BLOCK = 12
# With fewer examples than this, a finalist's score means little.
FEWEST_EXAMPLES = 20
# Shares of the queries that a budget pays for.
FOR_ROLLOUTS = 0.08
FOR_FULL_SCORES = 0.35


@dataclass(frozen=True, slots=True)
class Sizes:
    """Sizes of a MIPRO search.

    Args:
        instructions: Proposals for each predictor.
        demo_sets: Sets of demonstrations for each predictor.
        trials: Points tried.
        finalists: Points scored on all of validation at the end, beside the baseline.
        validation: Validation examples used.
        rollouts: Training examples that the program is run on, at most.
    """

    instructions: int
    demo_sets: int
    trials: int
    finalists: int
    validation: int
    rollouts: int


AUTO: Mapping[str, Sizes] = MappingProxyType(
    {
        "light": Sizes(6, 6, 20, 3, 150, 48),
        "medium": Sizes(10, 10, 48, 4, 300, 96),
        "heavy": Sizes(16, 14, 120, 5, 1000, 192),
    }
)


def choose_sizes(
    auto: Auto, *, predictors: int, validation: int, train: int, queries: float
) -> Sizes:
    """Choose the sizes of a search.

    Args:
        auto: How thorough the search is.
        predictors: Number of predictors; trials grow with them.
        validation: Number of validation examples.
        train: Number of training examples.
        queries: Queries of the program that the budget pays for; ``inf`` where it has no cap.
    """
    sizes = AUTO[auto]
    trials = round(sizes.trials * (1 + 0.5 * (predictors - 1)))
    sizes = replace(
        sizes,
        trials=trials,
        validation=min(sizes.validation, validation),
        rollouts=min(sizes.rollouts, train),
    )
    if math.isinf(queries):
        return sizes
    # Few queries: fewer finalists and fewer examples first, as each trial needs its block anyway.
    finalists = min(sizes.finalists, max(1, math.floor(queries / 150)))
    affordable = math.floor(queries * FOR_FULL_SCORES / (finalists + 1))
    return replace(
        sizes,
        finalists=finalists,
        validation=min(sizes.validation, max(FEWEST_EXAMPLES, affordable)),
        rollouts=min(sizes.rollouts, math.floor(queries * FOR_ROLLOUTS)),
        instructions=min(sizes.instructions, max(1, math.floor(queries / 40))),
        demo_sets=min(sizes.demo_sets, max(2, math.floor(queries / 40))),
    )
