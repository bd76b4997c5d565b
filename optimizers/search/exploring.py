"""The first points of a search alone, for edits to go on from."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from optimizers.budget.forecast import ForecastInputs, Range, StageForecast
from optimizers.demos.demos import collect_labeled
from optimizers.evaluation.candidate import Candidate, tunable_predictors
from optimizers.evaluation.scorer import ScoreRequest
from optimizers.run import Run
from optimizers.search.halving import take_affordable
from optimizers.search.mipro import MIPRO
from optimizers.search.sizes import Sizes

# Share of the queries for runs, where these alone give demonstrations.
FOR_ROLLOUTS = 0.25
# Share of what is left then for the points; edits need the rest.
FOR_POINTS = 0.5
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

    def _choose_sizes(self, run: Run) -> Sizes:
        sizes = super()._choose_sizes(run)
        labeled = collect_labeled(run.program, run.train)
        if all(labeled[path] for path in tunable_predictors(run.program)):
            return sizes
        # Nothing but good runs can be shown to some predictor, so more of them are needed.
        most = math.floor(run.queries_left() * FOR_ROLLOUTS)
        return replace(sizes, rollouts=min(len(run.train), max(sizes.rollouts, most)))

    async def search(self, run: Run) -> Candidate:
        """Score a balanced few points on a block each; return where the search began."""
        prepared = await self._prepare(run)
        if prepared is None:
            return run.start
        _, space = prepared
        widest = max((len(choice.values) for choice in space.choices), default=0)
        # The largest sets for all predictors together, and nothing else: a search of sets begins
        # with them.
        plain = tuple(int(choice.key.endswith(".demos")) for choice in space.choices)
        drawn = space.draw_balanced(max(FEWEST_POINTS, widest), run.rng("design"))
        points = [each for each in dict.fromkeys((plain, *drawn)) if each != space.baseline]
        candidates = [run.make_candidate(space.values(each), space.label(each)) for each in points]
        block = min(self.searching.first_block, run.scorer.size)
        run.start_stage("search", len(candidates), "each value on a block of validation")
        # The first has the longest prompts, and shows what these cost.
        if await self._score(run, candidates[:1], block):
            affordable = FOR_POINTS * run.queries_left() / block
            candidates = candidates[1 : 1 + int(min(len(points), max(FEWEST_POINTS, affordable)))]
            while candidates and await self._score(run, candidates[: self.searching.round], block):
                candidates = candidates[self.searching.round :]
        return run.start

    async def _score(self, run: Run, candidates: list[Candidate], block: int) -> bool:
        """Score candidates on a block; return whether the budget paid for all."""
        affordable = take_affordable(run, candidates, block)
        await run.score([ScoreRequest(each, range(block)) for each in affordable])
        for each in affordable:
            run.log_trial(each)
        return len(affordable) == len(candidates)
