"""Demonstrations from runs that the metric accepts.

Follows: DSPy: Compiling Declarative Language Model Calls into Self-Improving Pipelines
(Khattab et al., 2023), BootstrapFewShot.
Differs: rollouts run concurrently in rounds of fixed size; the second attempt at an example sees
labelled demonstrations that never include the example itself; a label replaces the traced value;
the draw covers the labels.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from langprog import Module
from langprog.knobs import MOST_NUMBER, takes_flag, takes_number, takes_whole
from langprog.lm import LanguageModel, ModelRef
from optimizers.base import Optimizer
from optimizers.budget.forecast import ForecastInputs, StageForecast
from optimizers.demos.demo_sets import draw_set
from optimizers.demos.demos import Demonstrations, collect_labeled
from optimizers.demos.own_demos import keep_own_demos
from optimizers.demos.rollouts import forecast_rollouts, run_rollouts
from optimizers.demos.teacher import (
    Teacher,
    check_teacher,
    check_teacher_inputs,
    list_teacher_models,
)
from optimizers.evaluation.candidate import Candidate, tunable_predictors
from optimizers.run import Run

# Most queries per wanted demonstration: a program that is right once in ten tries is not worth
# learning from.
PATIENCE = 10


@dataclass(frozen=True, kw_only=True)
class BootstrapFewShot(Optimizer):
    """Show every predictor what it did in runs that went well, plus labelled examples.

    Args:
        bootstrapped: Most demonstrations from good runs, for each predictor.
        labeled: Most labelled demonstrations beside them.
        threshold: Lowest score of a good run; ``None`` means full marks, or the best quarter
            where no run has full marks.
        teacher: Model or program that does the runs; the program itself if left out.
        keep_demos: Whether demonstrations that came with the program stay, first in every set.
            ``None`` keeps those of a program that is not a compiled one.
        concurrency: Number of examples processed at the same time.
    """

    bootstrapped: int = field(default=4, metadata=takes_whole(0, 10_000))
    labeled: int = field(default=4, metadata=takes_whole(0, 10_000))
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
        """Return the teacher's runs."""
        wanted, most = 2 * self.bootstrapped, PATIENCE * self.bootstrapped
        return (StageForecast("bootstrap", forecast_rollouts(facts, wanted, most)),)

    async def search(self, run: Run) -> Candidate:
        """Run the teacher, then draw from its good runs."""
        check_teacher_inputs(self.teacher, run.train)
        own = keep_own_demos(run, self.keep_demos)
        rollouts = await run_rollouts(
            run,
            wanted=2 * self.bootstrapped,
            most=PATIENCE * self.bootstrapped,
            teacher=self.teacher,
            threshold=self.threshold,
        )
        if not rollouts.good:
            run.note("no run on the training examples was good enough to show", warning=True)
        demos = Demonstrations(
            collect_labeled(run.program, run.train), rollouts.collect_demos(run.program)
        )
        values = {}
        for path, predictor in tunable_predictors(run.program).items():
            drawn = draw_set(
                demos,
                path,
                predictor.signature,
                bootstrapped=self.bootstrapped,
                labeled=self.labeled,
                rng=run.rng("demos", path),
                own=own[path],
            )
            if drawn:
                values[f"{path}.demos"] = drawn
        label = f"{self.bootstrapped} demonstrations from good runs"
        return await run.fit(run.make_candidate(values, label))
