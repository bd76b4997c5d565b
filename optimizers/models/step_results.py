"""Results of every step of a cascade or route on every example, for fitting offline."""

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
from optimizers.models.tradeoffs import Floats, standard_error
from optimizers.run import Run


@dataclass(frozen=True, slots=True)
class StepResults:
    """Scores, costs and certainty of every step on the same examples.

    Args:
        score: Scores, shape (steps, n).
        cost: Dollars, shape (steps, n).
        sure: How sure the step was, shape (steps, n); -inf where it failed, so that no threshold
            accepts it.
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
        """The step with the best mean score, the first of equals."""
        return int(np.argmax(self.score.mean(axis=1)))

    def error_of(self, score: Floats) -> float:
        """Return the standard error of the mean difference of scores (n,) from the best step."""
        return standard_error(score - self.score[self.best])

    def rows(self, places: Sequence[int] | npt.NDArray[np.int64]) -> StepResults:
        """Return the results on some of the examples."""
        return StepResults(self.score[:, places], self.cost[:, places], self.sure[:, places])


async def run_steps(
    run: Run, candidates: Sequence[Candidate], examples: Sequence[Example], *, priced: bool = True
) -> list[tuple[Row, ...]]:
    """Run candidates on examples as one round.

    Args:
        run: The search.
        candidates: What to run.
        examples: What to run them on.
        priced: Whether every answer needs a price.

    Returns:
        The rows of each candidate.

    Raises:
        BudgetExceeded: The budget ended first.
        ModelError: An answer has no price.
    """
    materials = run.materials
    jobs = [Job(candidate.apply(materials.base), examples) for candidate in candidates]
    results = await run_rows(jobs, materials.metric, materials.concurrency)
    run.settle()
    for rows in results if priced else ():
        check_prices(rows)
    return results


def collect_results(
    steps: Sequence[Sequence[Row]], sure: Callable[[int, Row], float] | None = None
) -> tuple[StepResults, list[int]]:
    """Collect rows into arrays, leaving out examples on which a step has no score.

    Args:
        steps: Rows by step, all of the same examples.
        sure: Returns how sure a step was of a row that has an answer; 0 everywhere if left out.

    Returns:
        The arrays, and the indices of the examples in them.
    """
    count = len(steps[0])
    indices = [at for at in range(count) if not any(is_missing(rows[at]) for rows in steps)]
    score = np.array([[_read_score(rows[at]) for at in indices] for rows in steps])
    cost = np.array([[rows[at].usage.dollars or 0.0 for at in indices] for rows in steps])
    certainty = np.zeros_like(score)
    for step, rows in enumerate(steps):
        for place, at in enumerate(indices):
            if rows[at].prediction is None:
                certainty[step, place] = -np.inf
            elif sure is not None:
                certainty[step, place] = sure(step, rows[at])
    return StepResults(score, cost, certainty), indices


def find_decision(row: Row, path: str) -> TraceStep | None:
    """Return the last decision that the cascade at ``path`` took in a row."""
    decisions = [step for step in row.trace if step.path == path and "sure" in step.outputs]
    return decisions[-1] if decisions else None


def _read_score(row: Row) -> float:
    assert row.score is not None
    return row.score.value
