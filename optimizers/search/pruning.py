"""Leave out reasoning that gains less than may be given up for a lower price."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from langprog.knobs import takes_instance
from optimizers.base import Optimizer
from optimizers.budget.forecast import ForecastInputs, Range, StageForecast
from optimizers.evaluation.candidate import Candidate
from optimizers.models.coordinate_ascent import score_if_close
from optimizers.run import Run
from optimizers.search.changes import Structuring, list_changes


@dataclass(frozen=True, kw_only=True)
class ReasoningPruning(Optimizer):
    """Leave out reasoning, and lower its effort, as far as the quality allows.

    A part of Compiler for cost and latency, whose search for quality keeps all reasoning that the
    program came with.

    Args:
        structuring: Whether reasoning and effort may be changed.
        concurrency: Number of examples processed at the same time.
        objective: See :class:`Optimizer`.
        tolerance: See :class:`Optimizer`.
    """

    structuring: Structuring = field(default=Structuring(), metadata=takes_instance(Structuring))

    def forecast(self, facts: ForecastInputs) -> tuple[StageForecast, ...]:
        """Forecast a trial for each predictor, if there is reasoning at all."""
        if not self.structuring.share:
            return ()
        most = facts.predictors * min(facts.validation, facts.queries)
        return (StageForecast("final", Range(0.0, most)),)

    async def search(self, run: Run) -> Candidate:
        """Try one change after another, and keep those whose quality is close."""
        changes = [
            change for change in list_changes(run.program, self.structuring) if change.saves
        ]
        if not changes or not self.structuring.share:
            return run.start
        best, values = run.start, dict[str, Any]()
        await run.score_fully([best])
        run.start_stage("final", len(changes), "the best with less reasoning")
        for number, change in enumerate(changes, start=1):
            if not values.keys() & change.values.keys():
                label = f"{best.label}; {change.label}"
                shorter = run.make_candidate({**values, **change.values}, label)
                if await score_if_close(run, shorter, self.tolerance):
                    best, values = shorter, {**values, **change.values}
            run.advance_stage("final", number, len(changes))
        return best
