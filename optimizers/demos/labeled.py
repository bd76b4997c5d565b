"""Demonstrations from the labels alone, without a model call.

Follows: DSP (Khattab et al., 2022) and DSPy's LabeledFewShot.
Differs: the draw covers the labels, is seeded, and works for predictors in the middle of a
pipeline where the examples have their fields.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from langprog.knobs import takes_flag, takes_whole
from optimizers.base import Optimizer
from optimizers.budget.forecast import ForecastInputs, StageForecast
from optimizers.demos.demos import collect_labeled, draw_demos, drop_known, explain_no_demos
from optimizers.demos.own_demos import keep_own_demos
from optimizers.evaluation.candidate import Candidate, tunable_predictors
from optimizers.run import Run


@dataclass(frozen=True, kw_only=True)
class LabeledFewShot(Optimizer):
    """Show every predictor some labelled training examples.

    Args:
        k: Number of demonstrations for each predictor.
        keep_demos: Whether demonstrations that came with the program stay, first in every set.
            ``None`` keeps those of a program that is not a compiled one.
        concurrency: Number of examples processed at the same time.
    """

    k: int = field(default=8, metadata=takes_whole(1, 10_000))
    keep_demos: bool | None = field(default=None, metadata=takes_flag())

    def forecast(self, facts: ForecastInputs) -> tuple[StageForecast, ...]:
        """Return nothing: this search makes no call."""
        return ()

    async def search(self, run: Run) -> Candidate:
        """Draw the demonstrations."""
        labeled = collect_labeled(run.program, run.train)
        own = keep_own_demos(run, self.keep_demos)
        values = {}
        for path, predictor in tunable_predictors(run.program).items():
            signature, kept = predictor.signature, own[path]
            unknown = drop_known(labeled[path], kept, signature)
            rng = run.rng("labelled", path)
            drawn = draw_demos(unknown, max(0, self.k - len(kept)), signature, rng)
            if drawn:
                values[f"{path}.demos"] = (*kept, *(item.demo for item in drawn))
            elif not labeled[path]:
                run.note(explain_no_demos(path, signature, run.train))
        return await run.fit(run.make_candidate(values, f"{self.k} labelled demonstrations"))
