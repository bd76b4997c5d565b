"""A model for every predictor, one predictor at a time.

Follows: Optimizing Model Selection for Compound AI Systems (Chen et al., 2025), LLMSelector:
coordinate ascent over modules, with a diagnoser that says of each module whether it did its part.
Differs: an assignment is a value and not state on the program; models are compared by means on
common examples, in two rungs, and not by the mode of each example's best; where all assignments
are few, all of them are tried.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from langprog.errors import InputError
from langprog.lm import LanguageModel, ModelRef, model_from, model_name
from langprog.runtime import current
from optimizers.base import Optimizer
from optimizers.budget.forecast import ForecastInputs, Range, StageForecast
from optimizers.evaluation.binding import Model
from optimizers.evaluation.candidate import Candidate
from optimizers.models.climb import FIRST_RUNG, Climb, assigned
from optimizers.models.diagnoser import Diagnoser
from optimizers.run import Run

FEWEST_EXAMPLES = 20


@dataclass(frozen=True, kw_only=True)
class LLMSelector(Optimizer):
    """Assign a model to every predictor.

    Args:
        models: Models to choose from, beside the one that each predictor has.
        rounds: Passes over the predictors; a pass that changes nothing is the last.
        exhaustive: Assignments up to which all are tried instead.
        blend: Weight of the diagnoser's verdict on a module against the end-to-end score, 0 to 1;
            0 asks no diagnoser.
        diagnoser: Model of the diagnoser; the ambient one if left out.
        concurrency: Examples in work at the same time.
        objective: See :class:`Optimizer`.
        tolerance: See :class:`Optimizer`.
    """

    models: Sequence[str | ModelRef | LanguageModel] = ()
    rounds: int = 2
    exhaustive: int = 4
    blend: float = 0.0
    diagnoser: str | ModelRef | LanguageModel | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.models, str) or not self.models:
            raise InputError(
                "the models to choose from are a list of one or more: "
                'models=["pocket/small", "pocket/medium"], on the command line --models A,B'
            )
        if not 0.0 <= self.blend <= 1.0:
            raise InputError(f"blend is a weight from 0 to 1, not {self.blend}")

    def models_needed(self) -> tuple[LanguageModel | ModelRef | str, ...]:
        """Return the models to choose from, and the diagnoser."""
        return (*self.models, *(() if self.diagnoser is None else (self.diagnoser,)))

    def models_offered(self) -> tuple[LanguageModel | ModelRef | str, ...]:
        """Return the models to choose from."""
        return tuple(self.models)

    def forecast(self, facts: ForecastInputs) -> tuple[StageForecast, ...]:
        """Return the baseline, and every model for every predictor."""
        size = min(facts.validation, self._examples(facts.queries, facts.predictors))
        others = len(self.models)
        each = min(FIRST_RUNG, size) + 0.5 * max(0.0, size - FIRST_RUNG)
        tried = facts.predictors * others
        rounds, fewest = self.rounds + (self.objective != "quality"), 0.5
        whole = (others + 1) ** facts.predictors
        if whole <= self.exhaustive:
            tried, each, rounds, fewest = whole - 1, size, 1, 1.0
        return (
            StageForecast("prepare", Range(size, size)),
            StageForecast(
                "search",
                Range(fewest * tried * each, tried * each * rounds),
                candidates=Range(tried, tried * rounds),
            ),
        )

    def _examples(self, queries: float, predictors: int) -> float:
        """Return how many examples a budget lets every assignment be compared on."""
        if math.isinf(queries):
            return queries
        wanted = 1 + 0.75 * predictors * len(self.models) * self.rounds
        return max(FEWEST_EXAMPLES, math.floor(queries / wanted))

    async def search(self, run: Run) -> Candidate:
        """Try all assignments where they are few, else climb predictor by predictor."""
        predictors = run.program.predictors()
        if not run.scorer.complete(run.start):
            size = self._examples(run.queries_left(), len(predictors))
            run.scorer.narrow(int(min(run.scorer.size, size)))
        run.stage("prepare", 1, "the program as it is on validation")
        await run.score_fully([run.start])
        choices = {path: self._choices(run, path, one.model) for path, one in predictors.items()}
        assignments = math.prod(len(one) for one in choices.values())
        if assignments <= self.exhaustive:
            await self._all(run, choices)
        else:
            climb = Climb(run, choices, self.objective, self.tolerance, self._diagnoser())
            await climb.finish(self.rounds)
        return run.best

    def _diagnoser(self) -> Diagnoser | None:
        if not self.blend:
            return None
        asked = None if self.diagnoser is None else model_from(self.diagnoser, "diagnoser=")
        return Diagnoser(asked, self.blend)

    def _choices(self, run: Run, path: str, now: Model) -> tuple[Model, ...]:
        """Return what a predictor may ask: its model, the input program's, and those given."""
        ambient = current().lm
        own = run.materials.base.predictors()[path].model
        found: dict[str | None, Model] = {}
        for model in (now, own, *map(model_from, self.models)):
            found.setdefault(model_name(model or ambient), model)
        return tuple(found.values())

    async def _all(self, run: Run, choices: Mapping[str, Sequence[Model]]) -> None:
        points = list(product(*choices.values()))
        run.stage("search", len(points) - 1, "every assignment of models")
        for number, point in enumerate(points[1:], start=1):
            one = assigned(run, dict(zip(choices, point, strict=True)))
            if not run.affords(run.scorer.size):
                run.note(f"the budget ended after {number - 1} of {len(points) - 1} assignments")
                return
            await run.score_fully([one])
            run.log_trial(one)
            run.step("search", number, len(points) - 1)
