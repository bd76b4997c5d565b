"""The first points of a search alone, for edits to go on from."""

from __future__ import annotations

from dataclasses import dataclass

from optimizers.budget.forecast import ForecastInputs, Range, StageForecast
from optimizers.evaluation.candidate import Candidate
from optimizers.evaluation.scorer import ScoreRequest
from optimizers.run import Run
from optimizers.search.halving import take_affordable
from optimizers.search.mipro import MIPRO

# With fewer candidates, the effects of their parts are not told apart.
FEWEST_POINTS = 4


@dataclass(frozen=True, kw_only=True)
class Exploration(MIPRO):
    """Try every instruction and every set of demonstrations once; a part of Compiler.

    Where the calls pay for few candidates, a race would choose by the luck of one block each.
    What all of them have in common is told from few: EditSearch credits it, and goes on from it.
    """

    def forecast_round(self, facts: ForecastInputs) -> tuple[StageForecast, ...]:
        """Forecast what comes before a race, and the block of each candidate.

        Args:
            facts: What the forecast is based on.
        """
        sizes = self._forecast_sizes(facts)
        before = [
            each for each in super().forecast_round(facts) if each.stage not in ("search", "final")
        ]
        points = max(FEWEST_POINTS, sizes.instructions + 1, sizes.demo_sets)
        block = min(self.searching.first_block, facts.validation)
        most = StageForecast(
            "search", Range(0.0, float(points * block)), candidates=Range(0.0, float(points))
        )
        return (*before, most)

    async def search(self, run: Run) -> Candidate:
        """Score a balanced few points on a block each; return where the search began."""
        prepared = await self._prepare(run)
        if prepared is None:
            return run.start
        _, space = prepared
        widest = max((len(choice.values) for choice in space.choices), default=0)
        points = space.draw_balanced(max(FEWEST_POINTS, widest), run.rng("design"))
        candidates = [run.make_candidate(space.values(each), space.label(each)) for each in points]
        block = min(self.searching.first_block, run.scorer.size)
        candidates = take_affordable(run, candidates, block)
        run.start_stage("search", len(candidates), "each value on a block of validation")
        await run.score([ScoreRequest(each, range(block)) for each in candidates])
        for each in candidates:
            run.log_trial(each)
        return run.start
