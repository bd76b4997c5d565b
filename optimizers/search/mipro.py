"""Search instructions, demonstrations and models of all predictors together.

Follows: Optimizing Instructions and Demonstrations for Multi-Stage Language Model Programs
(Opsahl-Ong et al., 2024), MIPRO.
Differs: the model of each predictor is a third choice beside instruction and demonstrations; all
demonstration sets draw on the same rollouts; proposals pass a filter; candidates race on the same
blocks of validation, and the sampler sees paired means instead of raw ones.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from langprog import Example, Module
from langprog.errors import InputError
from langprog.hints import with_hinted_fields
from langprog.knobs import (
    MOST_NUMBER,
    check_knobs,
    takes_flag,
    takes_instance,
    takes_number,
    takes_one_of,
    takes_whole,
)
from langprog.lm import LanguageModel, ModelRef, model_from, model_name
from langprog.runtime import current
from optimizers.budget.forecast import ForecastInputs, Range, StageForecast
from optimizers.demos.demo_sets import draw_distinct_sets, list_set_specs
from optimizers.demos.demos import (
    Demonstrations,
    collect_labeled,
)
from optimizers.demos.own_demos import keep_own_demos
from optimizers.demos.rollouts import forecast_rollouts, run_rollouts
from optimizers.demos.teacher import (
    Teacher,
    check_teacher,
    check_teacher_inputs,
    list_teacher_models,
)
from optimizers.evaluation.binding import Model
from optimizers.evaluation.candidate import Candidate, tunable_predictors
from optimizers.evaluation.scorer import ScoreRequest
from optimizers.instructions.asking import Proposing, list_proposer_models
from optimizers.instructions.grounding import ProposerInputs
from optimizers.instructions.proposer import propose
from optimizers.pruning.member import PrunedOptimizer
from optimizers.run import Run
from optimizers.search.race import Race, RaceSize, forecast_contenders, forecast_race
from optimizers.search.sizes import AUTO, FIRST_BLOCK, Auto, Sizes, choose_sizes
from optimizers.search.space import Choice, SearchSpace, list_module_choices

# Demonstrations in the largest sets, as in BootstrapRandomSearch; others have half as many.
MOST_SHOWN = 16


@with_hinted_fields({})
@dataclass(frozen=True, kw_only=True)
class Demonstrating:
    """How sets of demonstrations are made.

    Args:
        sets: Sets for each predictor; ``None`` leaves it to ``auto``, 0 keeps the program's own.
        most: Demonstrations in a set, at most.
        threshold: Lowest score of a run that may become a demonstration; see BootstrapFewShot.
        keep_demos: Whether demonstrations that came with the program stay; see BootstrapFewShot.
    """

    sets: int | None = field(default=None, metadata=takes_whole(0, 10_000))
    most: int = field(default=MOST_SHOWN, metadata=takes_whole(1, 10_000))
    threshold: float | None = field(default=None, metadata=takes_number(-MOST_NUMBER))
    keep_demos: bool | None = field(default=None, metadata=takes_flag())

    def __post_init__(self) -> None:
        check_knobs(self)


@with_hinted_fields({})
@dataclass(frozen=True, kw_only=True)
class Searching:
    """How the choices are searched.

    Args:
        trials: Points tried; ``None`` leaves it to ``auto``.
        round: Points tried at once; the sampler learns in between.
        first_block: Validation examples that every point is scored on.
        finalists: Points scored on all of validation; ``None`` leaves it to ``auto``. If a cap
            pays for more, those that may still be the best follow.
    """

    trials: int | None = field(default=None, metadata=takes_whole(1))
    round: int = field(default=4, metadata=takes_whole(1, 10_000))
    first_block: int = field(default=FIRST_BLOCK, metadata=takes_whole(1))
    finalists: int | None = field(default=None, metadata=takes_whole(1, 10_000))

    def __post_init__(self) -> None:
        check_knobs(self)


@dataclass(frozen=True, kw_only=True)
class MIPRO(PrunedOptimizer):
    """Propose instructions, bootstrap demonstrations, search them together with models.

    What modules offer themselves is searched too: the number of samples of a vote, the tiers of a
    cascade, the ``search_space()`` of your own modules.

    Args:
        auto: ``light``, ``medium`` or ``heavy``: how many proposals, sets and trials. A budget
            cuts these down to what it pays for.
        models: Models that each predictor may use besides its own.
        instructions: Proposals for each predictor; ``None`` leaves it to ``auto``, 0: none.
        teacher: Model or program that does the runs for demonstrations; the program itself if
            left out.
        proposing: How instructions are proposed.
        demonstrating: How sets of demonstrations are made.
        searching: How the choices are searched.
        prune: See PrunedOptimizer.
        concurrency: Examples in work at the same time.
    """

    auto: Auto = field(default="light", metadata=takes_one_of(tuple(AUTO)))
    models: Sequence[str | ModelRef | LanguageModel] = ()
    instructions: int | None = field(default=None, metadata=takes_whole(0, 10_000))
    teacher: Teacher = None
    proposing: Proposing = field(default=Proposing(), metadata=takes_instance(Proposing))
    demonstrating: Demonstrating = field(
        default=Demonstrating(), metadata=takes_instance(Demonstrating)
    )
    searching: Searching = field(default=Searching(), metadata=takes_instance(Searching))

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.models, str):
            raise InputError(f"models is a list of models: models=[{self.models!r}]")

    def check(self, program: Module) -> None:
        """Refuse a program whose modules offer what cannot be set on them.

        Raises:
            InputError: There is one, or instructions are given for no predictor.
        """
        list_module_choices(program)
        self.proposing.check(program)
        check_teacher(self.teacher, program)

    def models_needed(self) -> tuple[LanguageModel | ModelRef | str, ...]:
        """Return the models to choose from, the teacher and the proposer."""
        proposer = () if self.instructions == 0 else list_proposer_models(self.proposing)
        return (*self.models, *list_teacher_models(self.teacher), *proposer)

    def models_offered(self) -> tuple[LanguageModel | ModelRef | str, ...]:
        """Return the models to choose from."""
        return tuple(self.models)

    def forecast(self, facts: ForecastInputs) -> tuple[StageForecast, ...]:
        """Forecast a round, and the further finalists that a cap pays for."""
        stages = self.forecast_round(facts)
        if math.isinf(facts.queries):
            return stages
        sizes = self._forecast_sizes(facts)
        return (*stages, forecast_contenders(self._race_size(sizes), sizes.validation))

    def _forecast_sizes(self, facts: ForecastInputs) -> Sizes:
        return choose_sizes(
            self.auto,
            predictors=facts.predictors,
            validation=facts.validation,
            train=facts.train,
            queries=facts.queries,
        )

    def forecast_round(self, facts: ForecastInputs) -> tuple[StageForecast, ...]:
        """Forecast the baseline, the runs for demonstrations, proposals, race and finals.

        Args:
            facts: What the forecast is based on.
        """
        sizes = self._forecast_sizes(facts)
        count = sizes.instructions if self.instructions is None else self.instructions
        predictors = max(0, facts.predictors - len(self.proposing.written))
        asks = predictors * (count + 1) if count else 0
        return (
            StageForecast("prepare", Range(sizes.validation, sizes.validation)),
            StageForecast(
                "bootstrap", forecast_rollouts(facts, sizes.rollouts // 2, sizes.rollouts)
            ),
            StageForecast("propose", proposals=Range(0.8, 1.0).times(asks)),
            *forecast_race(self._race_size(sizes), sizes.validation),
        )

    async def search(self, run: Run) -> Candidate:
        """Score the baseline, run the program for demonstrations, propose, race."""
        prepared = await self._prepare(run)
        if prepared is None:
            return run.start
        sizes, space = prepared
        if space.size > 1:
            await Race(run, space, self._race_size(sizes)).finish()
        return run.best

    async def _prepare(self, run: Run) -> tuple[Sizes, SearchSpace] | None:
        """Return what there is to search; ``None`` if there is no need to, or no way."""
        check_teacher_inputs(self.teacher, run.train)
        run.start_stage("prepare", 1, "the program as it is on validation")
        # A first block measures what a query costs; under a cap all sizes depend on that.
        block = range(min(self.searching.first_block, run.scorer.size))
        await run.score([ScoreRequest(run.start, block)])
        sizes = self._choose_sizes(run)
        run.scorer.narrow(sizes.validation)
        await run.score_fully([run.start])
        if not run.scorer.is_complete(run.start):
            run.note(
                "the input program could not be scored: too many of its rows failed", warning=True
            )
            return None
        if run.materials.metric.is_full(min(run.scorer.values(run.start).values())):
            run.note("the program has the top score on every validation example")
            return None
        material = await self._gather_material(run, sizes)
        texts = await self._propose(run, sizes, material)
        space = await self._build_space(run, sizes, material.demos, texts)
        run.log("space", {choice.key: len(choice.values) for choice in space.choices})
        return sizes, space

    def _choose_sizes(self, run: Run) -> Sizes:
        return choose_sizes(
            self.auto,
            predictors=len(run.program.predictors()),
            validation=run.scorer.size,
            train=len(run.train),
            queries=run.queries_left(),
        )

    def _race_size(self, sizes: Sizes) -> RaceSize:
        knobs = self.searching
        return RaceSize(
            trials=sizes.trials if knobs.trials is None else knobs.trials,
            round=knobs.round,
            first_block=knobs.first_block,
            finalists=sizes.finalists if knobs.finalists is None else knobs.finalists,
        )

    async def _gather_material(self, run: Run, sizes: Sizes) -> ProposerInputs:
        if self.instructions == 0 and self.demonstrating.sets == 0:
            return ProposerInputs(
                Demonstrations({}, {}), ()
            )  # models alone: no run teaches anything
        rollouts = await run_rollouts(
            run,
            wanted=sizes.rollouts // 2,
            most=sizes.rollouts,
            teacher=self.teacher,
            threshold=self.demonstrating.threshold,
        )
        demos = Demonstrations(
            collect_labeled(run.program, run.train), rollouts.collect_demos(run.program)
        )
        return ProposerInputs(demos, rollouts.rows)

    async def _propose(
        self, run: Run, sizes: Sizes, material: ProposerInputs
    ) -> Mapping[str, Sequence[str]]:
        count = sizes.instructions if self.instructions is None else self.instructions
        others = len(tunable_predictors(run.program)) - len(self.proposing.written)
        if count and not run.affords(0, calls=2.2 * (count + 1) * others):
            run.note("no instructions were proposed: too little of the budget is left for it")
            count = 0
        return await propose(run, self.proposing, material, count)

    async def _build_space(
        self, run: Run, sizes: Sizes, demos: Demonstrations, texts: Mapping[str, Sequence[str]]
    ) -> SearchSpace:
        sets = sizes.demo_sets if self.demonstrating.sets is None else self.demonstrating.sets
        own = keep_own_demos(run, self.demonstrating.keep_demos)
        choices = []
        for path, predictor in tunable_predictors(run.program).items():
            signature = predictor.signature
            texts_tried = dict.fromkeys((signature.instruction, *texts.get(path, ())))
            instructions = list(texts_tried)
            choices.append(
                Choice(
                    f"{path}.instruction",
                    instructions,
                    [f"proposal {number}" for number in range(len(instructions))],
                )
            )
            if sets:
                demo_sets = draw_distinct_sets(
                    demos,
                    path,
                    signature,
                    list_set_specs(sets, self.demonstrating.most),
                    predictor.demos,
                    run.rng("demo sets", path),
                    own[path],
                )
                demo_sets = [(await self._fit(run, path, each), name) for each, name in demo_sets]
                choices.append(
                    Choice(
                        f"{path}.demos",
                        [each for each, _ in demo_sets],
                        [name for _, name in demo_sets],
                    )
                )
            choices.append(self._list_models(path, predictor.model))
        choices += list_module_choices(run.program)
        return SearchSpace(tuple(choice for choice in choices if len(choice.values) > 1))

    async def _fit(self, run: Run, path: str, demos: tuple[Example, ...]) -> tuple[Example, ...]:
        """Return as many of the demonstrations as the model's context window takes."""
        fitted = await run.fit(
            run.make_candidate({f"{path}.demos": demos}, f"{path} with more demos")
        )
        kept: tuple[Example, ...] = fitted.apply(run.materials.base).predictors()[path].demos
        return kept

    def _list_models(self, path: str, now: Model) -> Choice:
        name = model_name(now or current().lm)
        offered = {model_name(model): model_from(model) for model in self.models}
        values = [now, *(model for other, model in offered.items() if other != name)]
        return Choice(f"{path}.model", values, [str(value) for value in values])
