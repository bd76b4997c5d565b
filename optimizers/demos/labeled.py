"""Demonstrations from the labels alone: no model is asked.

Follows: DSP (Khattab et al., 2022) and DSPy's LabeledFewShot.
Differs: the draw covers the labels, is seeded, and works for predictors in the middle of a
pipeline where the examples have their fields.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from langprog.knobs import takes_whole
from optimizers.base import Optimizer
from optimizers.budget.forecast import ForecastInputs, StageForecast
from optimizers.demos.demos import drawn, labelled
from optimizers.evaluation.candidate import Candidate
from optimizers.run import Run


@dataclass(frozen=True, kw_only=True)
class LabeledFewShot(Optimizer):
    """Show every predictor some labelled training examples.

    Args:
        k: Demonstrations for each predictor.
        concurrency: Examples in work at the same time.
    """

    k: int = field(default=8, metadata=takes_whole(1, 10_000))

    def forecast(self, facts: ForecastInputs) -> tuple[StageForecast, ...]:
        """Return nothing: no model is asked."""
        return ()

    async def search(self, run: Run) -> Candidate:
        """Draw the demonstrations."""
        shown = labelled(run.program, run.train)
        values = {}
        for path, predictor in run.program.predictors().items():
            demos = drawn(shown[path], self.k, predictor.signature, run.rng("labelled", path))
            if demos:
                values[f"{path}.demos"] = tuple(one.demo for one in demos)
            else:
                run.note(f"no training example has the fields of {path}: it gets none to show")
        return run.candidate(values, f"{self.k} labelled demonstrations")
