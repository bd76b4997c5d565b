"""Instructions, demonstrations and models of every predictor, searched together.

Follows: Optimizing Instructions and Demonstrations for Multi-Stage Language Model Programs
(Opsahl-Ong et al., 2024), MIPRO.
Differs: a model for every predictor is a third choice beside instruction and demonstrations; one
pool of rollouts feeds all demonstration sets; proposals pass a hygiene gate; every candidate meets
the same blocks of validation in a race, and the sampler sees shrunken means instead of raw ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from langprog import Module
from langprog.errors import InputError
from langprog.lm import LanguageModel, ModelRef, model_from, model_name
from langprog.runtime import current
from langprog.signature import SignatureSpec
from optimizers.base import Optimizer
from optimizers.budget.forecast import ForecastInputs, Range, StageForecast
from optimizers.demos.demo_sets import draw_distinct_sets, list_set_specs
from optimizers.demos.demos import (
    Demonstrations,
    SourcedDemo,
    collect_labeled,
    find_labels,
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
from optimizers.run import Run
from optimizers.search.race import Race, Rules, race_work
from optimizers.search.sizes import AUTO, FIRST_BLOCK, Auto, Sizes, sized
from optimizers.search.space import Choice, Space, module_choices

# Demonstrations in the largest sets: two for every label, within these limits.
FEWEST_SHOWN = 6
MOST_SHOWN = 16


@dataclass(frozen=True, kw_only=True)
class Demonstrating:
    """How sets of demonstrations are made.

    Args:
        sets: Sets for each predictor; ``None`` leaves it to ``auto``, 0 searches none.
        most: Demonstrations in a set at most; ``None``: two for every label, 6 to 16.
        threshold: Lowest score of a good run; see BootstrapFewShot.
        keep_demos: Whether demonstrations that came with the program stay; see BootstrapFewShot.
    """

    sets: int | None = None
    most: int | None = None
    threshold: float | None = None
    keep_demos: bool | None = None


@dataclass(frozen=True, kw_only=True)
class Searching:
    """How the choices are searched.

    Args:
        trials: Points tried; ``None`` leaves it to ``auto``.
        round: Points tried at once; the sampler learns in between.
        first_block: Validation examples that every point meets.
        finalists: Points scored on all of validation; ``None`` leaves it to ``auto``.
    """

    trials: int | None = None
    round: int = 4
    first_block: int = FIRST_BLOCK
    finalists: int | None = None


@dataclass(frozen=True, kw_only=True)
class MIPRO(Optimizer):
    """Propose instructions, bootstrap demonstrations, search them together with models.

    What modules offer themselves is searched with them: how many samples a vote takes, the tiers
    of a cascade, the ``search_space()`` of a user's own.

    Args:
        auto: ``light``, ``medium`` or ``heavy``: how many proposals, sets and trials. A budget
            cuts them down to what it pays for.
        models: Models that each predictor may use beside its own.
        instructions: Proposals for each predictor; ``None`` leaves it to ``auto``, 0: none.
        teacher: Model or program that does the runs for demonstrations; the program itself if
            left out.
        proposing: How instructions are proposed.
        demonstrating: How sets of demonstrations are made.
        searching: How the choices are searched.
        concurrency: Examples in work at the same time.
    """

    auto: Auto = "light"
    models: Sequence[str | ModelRef | LanguageModel] = ()
    instructions: int | None = None
    teacher: Teacher = None
    proposing: Proposing = Proposing()
    demonstrating: Demonstrating = Demonstrating()
    searching: Searching = Searching()

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.auto not in AUTO:
            raise InputError(f"auto is one of {', '.join(AUTO)}, not {self.auto!r}")
        if isinstance(self.models, str):
            raise InputError(f"models is a list of models: models=[{self.models!r}]")

    def check(self, program: Module) -> None:
        """Refuse a program whose modules offer what cannot be set on them, or a wrong teacher."""
        module_choices(program)
        check_teacher(self.teacher, program)

    def models_needed(self) -> tuple[LanguageModel | ModelRef | str, ...]:
        """Return the models to choose from, the teacher and the proposer."""
        proposer = () if self.instructions == 0 else list_proposer_models(self.proposing)
        return (*self.models, *list_teacher_models(self.teacher), *proposer)

    def models_offered(self) -> tuple[LanguageModel | ModelRef | str, ...]:
        """Return the models to choose from."""
        return tuple(self.models)

    def forecast(self, facts: ForecastInputs) -> tuple[StageForecast, ...]:
        """Return baseline, teacher's runs, proposals, race and finals."""
        sizes = sized(
            self.auto,
            predictors=facts.predictors,
            validation=facts.validation,
            train=facts.train,
            queries=facts.queries,
        )
        count = sizes.instructions if self.instructions is None else self.instructions
        asks = facts.predictors * (count + 1) if count else 0
        return (
            StageForecast("prepare", Range(sizes.validation, sizes.validation)),
            StageForecast(
                "bootstrap", forecast_rollouts(facts, sizes.rollouts // 2, sizes.rollouts)
            ),
            StageForecast("propose", proposals=Range(0.8, 1.0).times(asks)),
            *race_work(self._rules(sizes), sizes.validation, 2 * facts.predictors),
        )

    async def search(self, run: Run) -> Candidate:
        """Score the baseline, learn from runs, propose, race."""
        check_teacher_inputs(self.teacher, run.train)
        run.stage("prepare", 1, "the program as it is on validation")
        # A first block says what a query takes, on which all sizes depend where there is a cap.
        block = range(min(self.searching.first_block, run.scorer.size))
        await run.score([ScoreRequest(run.start, block)])
        sizes = self._sizes(run)
        run.scorer.narrow(sizes.validation)
        await run.score_fully([run.start])
        if not run.scorer.complete(run.start):
            run.note("the program as it is could not be scored: too many rows lost", warning=True)
            return run.start
        if run.materials.metric.is_full(min(run.scorer.values(run.start).values())):
            run.note("the program as it is has full marks on every validation example")
            return run.start
        material = await self._material(run, sizes)
        texts = await self._proposals(run, sizes, material)
        space = self._space(run, sizes, material.demos, texts)
        run.log("space", {choice.key: len(choice.values) for choice in space.choices})
        if space.size > 1:
            await Race(run, space, self._rules(sizes)).finish()
        return run.best

    def _sizes(self, run: Run) -> Sizes:
        return sized(
            self.auto,
            predictors=len(run.program.predictors()),
            validation=run.scorer.size,
            train=len(run.train),
            queries=run.queries_left(),
        )

    def _rules(self, sizes: Sizes) -> Rules:
        asked = self.searching
        return Rules(
            trials=sizes.trials if asked.trials is None else asked.trials,
            round=asked.round,
            first_block=asked.first_block,
            finalists=sizes.finalists if asked.finalists is None else asked.finalists,
        )

    async def _material(self, run: Run, sizes: Sizes) -> ProposerInputs:
        if self.instructions == 0 and self.demonstrating.sets == 0:
            # Models alone: there is nothing to learn from runs.
            return ProposerInputs(Demonstrations({}, {}), ())
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

    async def _proposals(
        self, run: Run, sizes: Sizes, material: ProposerInputs
    ) -> Mapping[str, Sequence[str]]:
        count = sizes.instructions if self.instructions is None else self.instructions
        predictors = len(tunable_predictors(run.program))
        if count == 0:
            return {}
        if not run.affords(0, calls=2.2 * (count + 1) * predictors):
            run.note("no instructions were proposed: too little of the budget is left for it")
            return {}
        return await propose(run, self.proposing, material, count)

    def _space(
        self, run: Run, sizes: Sizes, demos: Demonstrations, texts: Mapping[str, Sequence[str]]
    ) -> Space:
        sets = sizes.demo_sets if self.demonstrating.sets is None else self.demonstrating.sets
        own = keep_own_demos(run, self.demonstrating.keep_demos)
        choices = []
        for path, predictor in tunable_predictors(run.program).items():
            signature = predictor.signature
            instructions = [signature.instruction, *texts.get(path, ())]
            choices.append(
                Choice(
                    f"{path}.instruction",
                    instructions,
                    [f"proposal {number}" for number in range(len(instructions))],
                )
            )
            if sets:
                found = draw_distinct_sets(
                    demos,
                    path,
                    signature,
                    list_set_specs(sets, self._most(signature, demos.labeled[path])),
                    predictor.demos,
                    run.rng("demo sets", path),
                    own[path],
                )
                choices.append(
                    Choice(
                        f"{path}.demos", [each for each, _ in found], [name for _, name in found]
                    )
                )
            choices.append(self._models(path, predictor.model))
        choices += module_choices(run.program)
        return Space(tuple(choice for choice in choices if len(choice.values) > 1))

    def _models(self, path: str, now: Model) -> Choice:
        name = model_name(now or current().lm)
        others = {model_name(model): model_from(model) for model in self.models}
        values = [now, *(model for other, model in others.items() if other != name)]
        return Choice(f"{path}.model", values, [str(value) for value in values])

    def _most(self, signature: SignatureSpec, shown: Sequence[SourcedDemo]) -> int:
        if self.demonstrating.most is not None:
            return self.demonstrating.most
        labels = find_labels(signature, shown)
        return max(FEWEST_SHOWN, min(MOST_SHOWN, 2 * max(labels.values(), default=0)))
