"""Choose a model for every predictor, one predictor at a time.

Follows: Optimizing Model Selection for Compound AI Systems (Chen et al., 2025), LLMSelector:
coordinate ascent over modules, with a diagnoser that says whether a module did its part.
Differs: an assignment is a value and not state of the program; models are compared by their means
on common examples, in two rungs, and not by the mode of each example's best; where there are few
assignments, all of them are tried.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product

from langprog.errors import InputError
from langprog.knobs import takes_number, takes_whole
from langprog.lm import LanguageModel, ModelRef, model_from, model_name
from langprog.runtime import current
from optimizers.base import Optimizer
from optimizers.budget.forecast import ForecastInputs, Range, StageForecast
from optimizers.evaluation.binding import Model
from optimizers.evaluation.candidate import Candidate
from optimizers.models.coordinate_ascent import FIRST_RUNG, CoordinateAscent, assign_models
from optimizers.models.diagnoser import Diagnoser
from optimizers.run import Run

FEWEST_EXAMPLES = 20


@dataclass(frozen=True, kw_only=True)
class LLMSelector(Optimizer):
    """Assign a model to every predictor.

    Args:
        models: Models to choose from, besides the one that each predictor has.
        rounds: Passes over the predictors; a pass that changes nothing is the last.
        exhaustive: Number of assignments up to which all are tried instead.
        blend: Weight of the diagnoser's verdict on a module against the end-to-end score, 0 to 1;
            at 0 no diagnoser is asked.
        diagnoser: Model of the diagnoser; the ambient one if left out.
        concurrency: Examples in work at the same time.
        objective: See :class:`Optimizer`.
        tolerance: See :class:`Optimizer`.
    """

    models: Sequence[str | ModelRef | LanguageModel] = ()
    rounds: int = field(default=2, metadata=takes_whole(1, 10_000))
    exhaustive: int = field(default=4, metadata=takes_whole(0))
    blend: float = field(default=0.0, metadata=takes_number(0, 1))
    diagnoser: str | ModelRef | LanguageModel | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.models, str) or not self.models:
            raise InputError(
                "models is a list of one model or more to choose from: "
                'models=["pocket/small", "pocket/medium"], on the command line --models A,B'
            )

    def models_needed(self) -> tuple[LanguageModel | ModelRef | str, ...]:
        """Return the models to choose from, and the diagnoser."""
        return (*self.models, *(() if self.diagnoser is None else (self.diagnoser,)))

    def models_offered(self) -> tuple[LanguageModel | ModelRef | str, ...]:
        """Return the models to choose from."""
        return tuple(self.models)

    def forecast(self, facts: ForecastInputs) -> tuple[StageForecast, ...]:
        """Forecast the baseline, and every model for every predictor."""
        size = min(facts.validation, self._count_examples(facts.queries, facts.predictors))
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

    def _count_examples(self, queries: float, predictors: int) -> float:
        """Return the number of examples on which a budget pays to compare every assignment."""
        if math.isinf(queries):
            return queries
        wanted = 1 + 0.75 * predictors * len(self.models) * self.rounds
        return max(FEWEST_EXAMPLES, math.floor(queries / wanted))

    async def search(self, run: Run) -> Candidate:
        """Try all assignments where there are few, else ascend predictor by predictor."""
        predictors = run.program.predictors()
        if not run.scorer.is_complete(run.start):
            size = self._count_examples(run.queries_left(), len(predictors))
            run.scorer.narrow(int(min(run.scorer.size, size)))
        run.start_stage("prepare", 1, "the program as it is on validation")
        await run.score_fully([run.start])
        choices = {
            path: self._list_models(run, path, predictor.model)
            for path, predictor in predictors.items()
        }
        assignments = math.prod(len(models) for models in choices.values())
        if assignments <= self.exhaustive:
            await self._try_all(run, choices)
        else:
            ascent = CoordinateAscent(
                run, choices, self.objective, self.tolerance, self._make_diagnoser()
            )
            await ascent.finish(self.rounds)
        return run.best

    def _make_diagnoser(self) -> Diagnoser | None:
        if not self.blend:
            return None
        model = None if self.diagnoser is None else model_from(self.diagnoser, "diagnoser=")
        return Diagnoser(model, self.blend)

    def _list_models(self, run: Run, path: str, present: Model) -> tuple[Model, ...]:
        """List a predictor's models: its own, the input program's, and those given."""
        ambient = current().lm
        own = run.materials.base.predictors()[path].model
        by_name: dict[str | None, Model] = {}
        for model in (present, own, *map(model_from, self.models)):
            by_name.setdefault(model_name(model or ambient), model)
        return tuple(by_name.values())

    async def _try_all(self, run: Run, choices: Mapping[str, Sequence[Model]]) -> None:
        points = list(product(*choices.values()))
        run.start_stage("search", len(points) - 1, "every assignment of models")
        for number, point in enumerate(points[1:], start=1):
            candidate = assign_models(run, dict(zip(choices, point, strict=True)))
            if not run.affords(run.scorer.size):
                run.note(f"the budget ended after {number - 1} of {len(points) - 1} assignments")
                return
            await run.score_fully([candidate])
            run.log_trial(candidate)
            run.advance_stage("search", number, len(points) - 1)
