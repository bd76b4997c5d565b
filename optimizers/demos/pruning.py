"""Removes demonstrations that gain less quality than a lower price is worth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from langprog import Example
from optimizers.base import Optimizer
from optimizers.budget.forecast import ForecastInputs, Range, StageForecast
from optimizers.evaluation.candidate import Candidate
from optimizers.models.climb import FIRST_RUNG, close
from optimizers.run import Run


@dataclass(frozen=True, kw_only=True)
class DemoPruning(Optimizer):
    """Restore the input program's demonstrations, predictor by predictor, where quality allows.

    A part of Compiler, for cost and latency: a search for quality adds demonstrations that gain
    little, and every query pays for them.

    Args:
        concurrency: Number of examples processed at the same time.
        objective: See :class:`Optimizer`.
        tolerance: See :class:`Optimizer`.
    """

    def forecast(self, facts: ForecastInputs) -> tuple[StageForecast, ...]:
        """Return one trial for each predictor that shows more than it used to."""
        most = facts.predictors * min(facts.validation, facts.queries)
        fewest = min(FIRST_RUNG, most)
        return (
            StageForecast("final", Range(fewest, most), candidates=Range(0.0, facts.predictors)),
        )

    async def search(self, run: Run) -> Candidate:
        """Try one predictor after another, and return the lightest program."""
        now, base = run.start, run.materials.base
        await run.score_fully([now])
        shown = run.program.predictors()
        run.stage("final", len(shown), "the best with fewer demonstrations")
        for number, (path, predictor) in enumerate(base.predictors().items(), start=1):
            own = predictor.demos
            if _count_characters(shown[path].demos) > _count_characters(own):
                label = f"{now.label}; {path} with its own demonstrations"
                lighter = Candidate.of(base, {**now.parameters, f"{path}.demos": own}, label)
                if await close(run, lighter, self.tolerance):
                    now = lighter
            run.step("final", number, len(shown))
        return now


def _count_characters(demos: Sequence[Example]) -> int:
    return sum(len(str(value)) for demo in demos for value in demo.values())
