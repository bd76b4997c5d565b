"""What every step of a cascade or a route does on every example, seen once, weighed offline."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from langprog import Example
from langprog.evaluation import Row
from langprog.modules import TraceStep
from optimizers.evaluation.candidate import Candidate
from optimizers.evaluation.runner import Job, is_missing, run_rows
from optimizers.evaluation.scorer import check_prices
from optimizers.models.choice import Floats, standard_error
from optimizers.run import Run


@dataclass(frozen=True, slots=True)
class Observed:
    """Scores, certainty and cost of every step on the same examples.

    Args:
        score: Score by step and example, shape (steps, n).
        cost: Dollars by step and example, (steps, n).
        sure: How sure the step was, (steps, n); -inf where it failed, so that nothing takes it.
    """

    score: Floats
    cost: Floats
    sure: Floats

    @property
    def steps(self) -> int:
        """Number of steps."""
        return len(self.score)

    @property
    def size(self) -> int:
        """Number of examples."""
        return int(self.score.shape[1])

    @property
    def best(self) -> int:
        """The step with the best mean score; of equals the first."""
        return int(np.argmax(self.score.mean(axis=1)))

    def error_of(self, score: Floats) -> float:
        """Return the standard error of the mean difference from the best step, (n,) scores."""
        return standard_error(score - self.score[self.best])

    def rows(self, places: Sequence[int] | npt.NDArray[np.int64]) -> Observed:
        """Return the same of some of the examples."""
        return Observed(self.score[:, places], self.cost[:, places], self.sure[:, places])


async def step_rows(
    run: Run, candidates: Sequence[Candidate], examples: Sequence[Example], *, priced: bool = True
) -> list[tuple[Row, ...]]:
    """Run candidates as one round.

    Args:
        run: The search.
        candidates: What to run.
        examples: On what.
        priced: Whether every answer needs a price.

    Raises:
        BudgetExceeded: The budget ended first.
        ModelError: An answer has no price.
    """
    materials = run.materials
    jobs = [Job(one.apply(materials.base), examples) for one in candidates]
    found = await run_rows(jobs, materials.metric, materials.concurrency)
    run.settle()
    for rows in found if priced else ():
        check_prices(rows)
    return found


def observed(
    steps: Sequence[Sequence[Row]], sure: Callable[[int, Row], float] | None = None
) -> tuple[Observed, list[int]]:
    """Return what rows say, without the examples that a step lost on the way.

    Args:
        steps: Rows by step, all of the same examples.
        sure: How sure a step was of a row that has an answer; 0 everywhere if left out.

    Returns:
        The arrays, and which examples they are of.
    """
    count = len(steps[0])
    kept = [at for at in range(count) if not any(is_missing(rows[at]) for rows in steps)]
    score = np.array([[_value(rows[at]) for at in kept] for rows in steps])
    cost = np.array([[rows[at].usage.dollars or 0.0 for at in kept] for rows in steps])
    certain = np.zeros_like(score)
    for step, rows in enumerate(steps):
        for place, at in enumerate(kept):
            if rows[at].prediction is None:
                certain[step, place] = -np.inf
            elif sure is not None:
                certain[step, place] = sure(step, rows[at])
    return Observed(score, cost, certain), kept


def decision(row: Row, path: str) -> TraceStep | None:
    """Return the last decision that a cascade at ``path`` took in a row."""
    found = [step for step in row.trace if step.path == path and "sure" in step.outputs]
    return found[-1] if found else None


def _value(row: Row) -> float:
    assert row.score is not None
    return row.score.value
