"""The best of several sets of demonstrations.

Follows: DSPy's BootstrapFewShotWithRandomSearch (Khattab et al., 2023).
Differs: one pool of rollouts feeds every set instead of a new bootstrap for each; validation is
never the set that the demonstrations come from; the program as it is takes part.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from langprog.knobs import MOST_NUMBER, takes_number, takes_whole
from langprog.lm import LanguageModel, ModelRef, model_from
from optimizers.base import Optimizer
from optimizers.budget.forecast import ForecastInputs, Range, StageForecast
from optimizers.demos.demo_sets import Recipe, demo_set, recipes
from optimizers.demos.demos import Pool, labelled
from optimizers.demos.few_shot import PATIENCE
from optimizers.demos.rollouts import rollout_queries, rollouts
from optimizers.evaluation.candidate import Candidate
from optimizers.run import Run

# Candidates scored in one round; whether the budget allows another is asked in between.
ROUND = 4
# A small budget scores on fewer examples, so that this many sets can be tried with that share
# of it.
FEWEST_SETS = 4
FEWEST_EXAMPLES = 20
SCORED = 0.75


@dataclass(frozen=True, kw_only=True)
class BootstrapRandomSearch(Optimizer):
    """Draw several sets of demonstrations, score each on all of validation, keep the best.

    Args:
        sets: Sets to try beside the program as it is.
        most: Demonstrations in a set, for each predictor, at most.
        threshold: Lowest score of a good run; see BootstrapFewShot.
        teacher: Model that does the runs; the program's own if left out.
        concurrency: Examples in work at the same time.
    """

    sets: int = field(default=12, metadata=takes_whole(1, 10_000))
    most: int = field(default=16, metadata=takes_whole(1, 10_000))
    threshold: float | None = field(default=None, metadata=takes_number(-MOST_NUMBER))
    teacher: str | ModelRef | LanguageModel | None = None

    def models_needed(self) -> tuple[LanguageModel | ModelRef | str, ...]:
        """Return the teacher."""
        return () if self.teacher is None else (self.teacher,)

    def forecast(self, facts: ForecastInputs) -> tuple[StageForecast, ...]:
        """Return the teacher's runs, and every set on all of validation."""
        size = min(facts.validation, self._examples(facts.queries))
        most = min(PATIENCE * self.most, facts.queries / 4)
        return (
            StageForecast("prepare", Range(size, size)),
            StageForecast("bootstrap", rollout_queries(facts, 2 * self.most, most)),
            StageForecast(
                "search", Range(0.8, 1.0).times(self.sets * size), candidates=Range(1, self.sets)
            ),
        )

    def _examples(self, queries: float) -> float:
        """Return on how many validation examples a budget for ``queries`` lets a set be scored."""
        if math.isinf(queries):
            return queries
        few = min(self.sets, FEWEST_SETS)
        return max(FEWEST_EXAMPLES, math.floor(SCORED * queries / (few + 1)))

    async def search(self, run: Run) -> Candidate:
        """Score the program as it is, then set after set."""
        examples = self._examples(run.queries_left())
        if not math.isinf(examples):
            run.scorer.narrow(int(examples))
        await run.score_fully([run.start])
        done = await rollouts(
            run,
            wanted=2 * self.most,
            most=int(min(PATIENCE * self.most, run.queries_left() / 4)),
            teacher=None if self.teacher is None else model_from(self.teacher, "teacher="),
            threshold=self.threshold,
        )
        pool = Pool(labelled(run.program, run.train), done.traced(run.program))
        candidates = [
            self._candidate(run, pool, recipe, number)
            for number, recipe in enumerate(recipes(self.sets, self.most))
        ]
        distinct = list({one.digest: one for one in candidates if one != run.start}.values())
        run.stage("search", len(distinct), "sets of demonstrations on validation")
        for first in range(0, len(distinct), ROUND):
            batch = distinct[first : first + ROUND]
            while batch and not run.affords(len(batch) * run.scorer.size):
                batch.pop()
            if not batch:
                run.note(f"the budget ended the search after {first} of {len(distinct)} sets")
                break
            await run.score_fully(batch)
            for candidate in batch:
                run.log_trial(candidate)
            run.step("search", first + len(batch), len(distinct))
        return run.best

    def _candidate(self, run: Run, pool: Pool, recipe: Recipe, number: int) -> Candidate:
        values = {
            f"{path}.demos": demo_set(
                pool,
                path,
                predictor.signature,
                bootstrapped=recipe.bootstrapped,
                labeled=recipe.labeled,
                rng=run.rng("set", number, path),
            )
            for path, predictor in run.program.predictors().items()
        }
        return run.candidate(values, f"set {number}: {recipe.label}")
