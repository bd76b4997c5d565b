"""Successive halving: what a race and the assignment of models share.

Follows: Non-stochastic Best Arm Identification and Hyperparameter Optimization (Jamieson and
Talwalkar, 2016): all candidates meet a few examples, and the better ones meet more.
Differs: rungs are nested prefixes of the same examples, so that scores are paired.
"""

from __future__ import annotations

from collections.abc import Sequence

from optimizers.evaluation.candidate import Candidate
from optimizers.run import Run


def list_rungs(first: int, size: int, growth: int | None = None) -> list[int]:
    """Return how many examples the candidates of each rung have met.

    Args:
        first: Examples of the first rung.
        size: Examples of the last rung: all there are.
        growth: Each rung has this many times the examples of the one before; ``None``: the second
            rung already has all.
    """
    rungs = [min(first, size)]
    while rungs[-1] < size:
        rungs.append(size if growth is None else min(size, rungs[-1] * growth))
    return rungs


def take_affordable(
    run: Run, candidates: Sequence[Candidate], examples: int, *, fewest: int = 0
) -> list[Candidate]:
    """Drop candidates from the end until the budget pays for scoring the others.

    Args:
        run: The search.
        candidates: Candidates, the most promising first.
        examples: Validation examples that each is to be scored on; known scores cost nothing.
        fewest: How many are returned even if the budget pays for fewer.
    """
    affordable = list(candidates)
    while len(affordable) > fewest and not run.affords(
        sum(max(0, examples - len(run.scorer.values(each))) for each in affordable)
    ):
        affordable.pop()
    return affordable
