"""The best of several sets of demonstrations.

Follows: DSPy's BootstrapFewShotWithRandomSearch (Khattab et al., 2023).
Differs: every set draws from the same rollouts instead of a bootstrap of its own; validation is
never the data that the demonstrations come from; the input program is a candidate too.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from langprog import Module
from langprog.knobs import MOST_NUMBER, takes_flag, takes_number, takes_whole
from langprog.lm import LanguageModel, ModelRef
from optimizers.budget.forecast import ForecastInputs, Range, StageForecast
from optimizers.demos.demo_sets import DemoSetSpec, draw_set, list_set_specs
from optimizers.demos.demos import Demonstrations, collect_labeled
from optimizers.demos.few_shot import PATIENCE
from optimizers.demos.own_demos import keep_own_demos
from optimizers.demos.rollouts import forecast_rollouts, run_rollouts
from optimizers.demos.teacher import (
    Teacher,
    check_teacher,
    check_teacher_inputs,
    list_teacher_models,
)
from optimizers.evaluation.candidate import Candidate, tunable_predictors
from optimizers.pruning.member import PrunedOptimizer
from optimizers.run import Run

# Candidates scored per round; whether the budget allows another is checked between rounds. The
# first is alone, as it shows what a query with demonstrations costs: a round that takes more than
# is left counts for nothing.
ROUND = 4
# A small budget scores on fewer examples, so that this many sets fit into this share of it.
FEWEST_SETS = 4
FEWEST_EXAMPLES = 20
SCORED = 0.75


@dataclass(frozen=True, kw_only=True)
class BootstrapRandomSearch(PrunedOptimizer):
    """Draw several sets of demonstrations, score each on all of validation, keep the best.

    Args:
        sets: Number of sets to try beside the input program.
        most: Most demonstrations in a set, for each predictor.
        threshold: Lowest score of a good run; see BootstrapFewShot.
        teacher: Model or program that does the runs; the program itself if left out.
        keep_demos: Whether demonstrations that came with the program stay, first in every set.
            ``None`` keeps those of a program that is not a compiled one.
        prune: See PrunedOptimizer.
        concurrency: Number of examples processed at the same time.
    """

    sets: int = field(default=12, metadata=takes_whole(1, 10_000))
    most: int = field(default=16, metadata=takes_whole(1, 10_000))
    threshold: float | None = field(default=None, metadata=takes_number(-MOST_NUMBER))
    teacher: Teacher = None
    keep_demos: bool | None = field(default=None, metadata=takes_flag())

    def check(self, program: Module) -> None:
        """Refuse a teacher that the program cannot learn from."""
        check_teacher(self.teacher, program)

    def models_needed(self) -> tuple[LanguageModel | ModelRef | str, ...]:
        """Return the teacher, or its models."""
        return list_teacher_models(self.teacher)

    def forecast(self, facts: ForecastInputs) -> tuple[StageForecast, ...]:
        """Return the teacher's runs, and every set on all of validation."""
        size = min(facts.validation, self._limit_examples(facts.queries))
        most = min(PATIENCE * self.most, facts.queries / 4)
        return (
            StageForecast("prepare", Range(size, size)),
            StageForecast("bootstrap", forecast_rollouts(facts, 2 * self.most, most)),
            StageForecast(
                "search", Range(0.8, 1.0).times(self.sets * size), candidates=Range(1, self.sets)
            ),
        )

    def _limit_examples(self, queries: float) -> float:
        """Return how many validation examples a set can be scored on within ``queries``."""
        if math.isinf(queries):
            return queries
        few = min(self.sets, FEWEST_SETS)
        return max(FEWEST_EXAMPLES, math.floor(SCORED * queries / (few + 1)))

    async def search(self, run: Run) -> Candidate:
        """Score the input program, then one set after another."""
        check_teacher_inputs(self.teacher, run.train)
        examples = self._limit_examples(run.queries_left())
        if not math.isinf(examples):
            run.scorer.narrow(int(examples))
        await run.score_fully([run.start])
        rollouts = await run_rollouts(
            run,
            wanted=2 * self.most,
            most=int(min(PATIENCE * self.most, run.queries_left() / 4)),
            teacher=self.teacher,
            threshold=self.threshold,
        )
        demos = Demonstrations(
            collect_labeled(run.program, run.train), rollouts.collect_demos(run.program)
        )
        candidates = [
            await run.fit(self._make_candidate(run, demos, spec, number))
            for number, spec in enumerate(list_set_specs(self.sets, self.most))
        ]
        distinct = list({each.digest: each for each in candidates if each != run.start}.values())
        run.start_stage("search", len(distinct), "sets of demonstrations on validation")
        done = 0
        while done < len(distinct):
            batch = distinct[done : done + (ROUND if done else 1)]
            while batch and not run.affords(len(batch) * run.scorer.size):
                batch.pop()
            if not batch:
                run.note(f"the budget ended the search after {done} of {len(distinct)} sets")
                break
            await run.score_fully(batch)
            for candidate in batch:
                run.log_trial(candidate)
            done += len(batch)
            run.advance_stage("search", done, len(distinct))
        return run.best

    def _make_candidate(
        self, run: Run, demos: Demonstrations, spec: DemoSetSpec, number: int
    ) -> Candidate:
        own = keep_own_demos(run, self.keep_demos)
        values = {
            f"{path}.demos": draw_set(
                demos,
                path,
                predictor.signature,
                bootstrapped=spec.bootstrapped,
                labeled=spec.labeled,
                rng=run.rng("set", number, path),
                own=own[path],
            )
            for path, predictor in tunable_predictors(run.program).items()
        }
        return run.make_candidate(values, f"set {number}: {spec.label}")
