"""Demonstrations from runs that the metric accepts.

Follows: DSPy: Compiling Declarative Language Model Calls into Self-Improving Pipelines
(Khattab et al., 2023), BootstrapFewShot.
Differs: rollouts run concurrently in rounds of fixed size; the second attempt at an example sees
labelled demonstrations that never hold the example itself; a label takes the place of the traced
value; the draw covers the labels.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from langprog.knobs import MOST_NUMBER, takes_number, takes_whole
from langprog.lm import LanguageModel, ModelRef, model_from
from optimizers.base import Optimizer
from optimizers.budget.forecast import ForecastInputs, StageForecast
from optimizers.demos.demo_sets import demo_set
from optimizers.demos.demos import Pool, labelled
from optimizers.demos.rollouts import rollout_queries, rollouts
from optimizers.evaluation.candidate import Candidate
from optimizers.run import Run

# Queries spent for every demonstration wanted, at most: a program that is right once in ten
# tries is not worth learning from.
PATIENCE = 10


@dataclass(frozen=True, kw_only=True)
class BootstrapFewShot(Optimizer):
    """Show every predictor what it did in runs that went well, filled up with labelled examples.

    Args:
        bootstrapped: Demonstrations from good runs, for each predictor, at most.
        labeled: Labelled demonstrations beside them, at most.
        threshold: Lowest score of a good run; ``None``: full marks, or the best quarter where
            no run has full marks.
        teacher: Model that does the runs; the program's own if left out.
        concurrency: Examples in work at the same time.
    """

    bootstrapped: int = field(default=4, metadata=takes_whole(0, 10_000))
    labeled: int = field(default=4, metadata=takes_whole(0, 10_000))
    threshold: float | None = field(default=None, metadata=takes_number(-MOST_NUMBER))
    teacher: str | ModelRef | LanguageModel | None = None

    def models_needed(self) -> tuple[LanguageModel | ModelRef | str, ...]:
        """Return the teacher."""
        return () if self.teacher is None else (self.teacher,)

    def forecast(self, facts: ForecastInputs) -> tuple[StageForecast, ...]:
        """Return the teacher's runs."""
        wanted, most = 2 * self.bootstrapped, PATIENCE * self.bootstrapped
        return (StageForecast("bootstrap", rollout_queries(facts, wanted, most)),)

    async def search(self, run: Run) -> Candidate:
        """Run the teacher, then draw from its good runs."""
        done = await rollouts(
            run,
            wanted=2 * self.bootstrapped,
            most=PATIENCE * self.bootstrapped,
            teacher=None if self.teacher is None else model_from(self.teacher, "teacher="),
            threshold=self.threshold,
        )
        if not done.good:
            run.note("no run on the training examples was good enough to show", warning=True)
        pool = Pool(labelled(run.program, run.train), done.traced(run.program))
        values = {
            f"{path}.demos": demos
            for path in run.program.predictors()
            if (
                demos := demo_set(
                    pool,
                    path,
                    run.program.predictors()[path].signature,
                    bootstrapped=self.bootstrapped,
                    labeled=self.labeled,
                    rng=run.rng("demos", path),
                )
            )
        }
        return run.candidate(values, f"{self.bootstrapped} demonstrations from good runs")
