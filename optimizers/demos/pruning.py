"""Remove demonstrations that gain less than may be given up for a lower price."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from langprog import Example
from optimizers.base import Optimizer
from optimizers.budget.forecast import ForecastInputs, Range, StageForecast
from optimizers.evaluation.candidate import Candidate
from optimizers.models.coordinate_ascent import FIRST_RUNG, score_if_close
from optimizers.run import Run


@dataclass(frozen=True, kw_only=True)
class DemoPruning(Optimizer):
    """Restore the demonstrations of the input program, as far as the quality allows.

    A part of Compiler for cost and latency: a search for quality adds demonstrations that gain
    little, and every query pays for them.

    Args:
        concurrency: Number of examples processed at the same time.
        objective: See :class:`Optimizer`.
        tolerance: See :class:`Optimizer`.
    """

    def forecast(self, facts: ForecastInputs) -> tuple[StageForecast, ...]:
        """Forecast a trial for each predictor whose demonstrations grew."""
        most = facts.predictors * min(facts.validation, facts.queries)
        fewest = min(FIRST_RUNG, most)
        return (
            StageForecast("final", Range(fewest, most), candidates=Range(0.0, facts.predictors)),
        )

    async def search(self, run: Run) -> Candidate:
        """Try one predictor after another, and return the shortest program that is close."""
        best, base = run.start, run.materials.base
        await run.score_fully([best])
        shown = run.program.predictors()
        run.start_stage("final", len(shown), "the best with fewer demonstrations")
        for number, (path, predictor) in enumerate(base.predictors().items(), start=1):
            own = predictor.demos
            if _count_characters(shown[path].demos) > _count_characters(own):
                label = f"{best.label}; {path} with its own demonstrations"
                shorter = Candidate.of(base, {**best.parameters, f"{path}.demos": own}, label)
                if await score_if_close(run, shorter, self.tolerance):
                    best = shorter
            run.advance_stage("final", number, len(shown))
        return best


def _count_characters(demos: Sequence[Example]) -> int:
    return sum(len(str(value)) for demo in demos for value in demo.values())
