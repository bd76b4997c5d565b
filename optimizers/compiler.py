"""The default optimizer: the structure first, then rounds of bootstrapping, proposing and racing.

Follows: MIPRO (Opsahl-Ong et al., 2024) for the joint search of a round; GEPA (Agrawal et al.,
2025) for learning from the mistakes of the best program, not of the first.
Differs: faults in the program's structure are mended first, as no instruction makes up for an
answer that comes before its reasoning. Each round starts from the best program so far, so that
its demonstrations come from runs of a better program and its proposals from the mistakes that
remain. Clauses and demonstrations of all candidates are then put together in new ways, credited by
every score so far, which also decides what is best: the few examples that a race affords would
choose by luck. A small budget goes without the race. The rounds end when they stop gaining, or
with the budget. Models are assigned module by module after them (LLMSelector), because a round
tries few of their combinations and optimizes quality alone. For cost or latency, demonstrations
and reasoning that gain too little are removed before that.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from langprog import Module
from langprog.knobs import takes_instance, takes_one_of, takes_whole
from langprog.lm import LanguageModel, ModelRef
from optimizers.base import Optimizer
from optimizers.budget.forecast import ForecastInputs, Range, StageForecast, cut_to_budget
from optimizers.demos.pruning import DemoPruning
from optimizers.evaluation.candidate import Candidate
from optimizers.instructions.asking import Proposing
from optimizers.models.selector import LLMSelector
from optimizers.pipeline import run_search
from optimizers.pruning.member import PrunedOptimizer
from optimizers.run import Run
from optimizers.search.changes import Structuring
from optimizers.search.edits import EditSearch
from optimizers.search.exploring import Exploration
from optimizers.search.mipro import MIPRO
from optimizers.search.pruning import ReasoningPruning
from optimizers.search.sizes import AUTO, Auto
from optimizers.search.structure import StructureSearch

# Share of a round for proposals and their race; edits of what was tried get the rest.
RACE_SHARE = 0.55
# With fewer queries there is no race, which would choose by the luck of a block, and no further
# round. Each value is tried once, at most within this share.
FEWEST_WITH_RACE, EXPLORATION_SHARE = 700, 0.9
# Share of the proposals of later rounds that are made from mistakes.
LATER_FROM_MISTAKES = 0.75
# Consecutive rounds without a gain that end the search.
PATIENCE = 2
# Share of the budget for the steps after the rounds; they also get what the rounds leave.
CLOSING_SHARE = 0.3


@dataclass(frozen=True, kw_only=True)
class Compiler(PrunedOptimizer):
    """Compile with defaults that need no tuning.

    Args:
        models: Models that each predictor may use besides its own.
        rounds: Largest number of rounds.
        auto: How thorough a round is: ``light``, ``medium`` or ``heavy``; a small budget reduces
            it.
        proposing: How instructions are proposed.
        structuring: How the structure is searched: the order of outputs, reasoning, adapter,
            reasoning effort, temperature.
        prune: See PrunedOptimizer.
        concurrency: Examples processed at the same time.
        objective: ``quality``; or ``cost`` or ``latency``: the cheapest or fastest program that
            is about as good.
        tolerance: Loss in mean score that is accepted for ``cost`` or ``latency``.
    """

    models: Sequence[str | ModelRef | LanguageModel] = ()
    rounds: int = field(default=6, metadata=takes_whole(1, 10_000))
    auto: Auto = field(default="light", metadata=takes_one_of(tuple(AUTO)))
    proposing: Proposing = field(default=Proposing(), metadata=takes_instance(Proposing))
    structuring: Structuring = field(default=Structuring(), metadata=takes_instance(Structuring))

    def __post_init__(self) -> None:
        super().__post_init__()
        self._make_round()  # checks the knobs that a round receives

    def _make_round(self, number: int = 0, queries: float = math.inf) -> MIPRO:
        kind = MIPRO if queries >= FEWEST_WITH_RACE else Exploration
        proposing = self.proposing
        if number:
            proposing = replace(proposing, from_mistakes=LATER_FROM_MISTAKES)
        return kind(
            auto=self.auto,
            models=self.models,
            proposing=proposing,
            concurrency=self.concurrency,
        )

    def _make_edits(self) -> EditSearch:
        return EditSearch(
            auto=self.auto,
            written=tuple(self.proposing.written),
            most_words=self.proposing.hygiene.most_words,
            prune=self.prune,
            concurrency=self.concurrency,
        )

    def _make_structure_search(self) -> StructureSearch:
        return StructureSearch(structuring=self.structuring, concurrency=self.concurrency)

    def check(self, program: Module) -> None:
        """Reject a program that MIPRO, which each round runs, cannot search.

        Raises:
            InputError: A module offers a value that cannot be set on it, or nothing can be set.
        """
        self._make_round().check(program)

    def models_needed(self) -> tuple[LanguageModel | ModelRef | str, ...]:
        """Return the models to choose from, and the proposer."""
        return self._make_round().models_needed()

    def models_offered(self) -> tuple[LanguageModel | ModelRef | str, ...]:
        """Return the models to choose from."""
        return tuple(self.models)

    def _make_closing(self) -> tuple[Optimizer, ...]:
        """Return the searches that follow the rounds."""
        pruning = DemoPruning(
            objective=self.objective, tolerance=self.tolerance, concurrency=self.concurrency
        )
        reasoning = ReasoningPruning(
            structuring=self.structuring,
            objective=self.objective,
            tolerance=self.tolerance,
            concurrency=self.concurrency,
        )
        closing: list[Optimizer] = [] if self.objective == "quality" else [pruning, reasoning]
        if self.models:
            closing.append(
                LLMSelector(
                    models=self.models,
                    objective=self.objective,
                    tolerance=self.tolerance,
                    concurrency=self.concurrency,
                )
            )
        return tuple(closing)

    def forecast(self, facts: ForecastInputs) -> tuple[StageForecast, ...]:
        """Forecast the structure, the first round, the later rounds and the steps after them."""
        first = self._make_structure_search().forecast(facts)
        queries = facts.queries - sum(stage.queries.low for stage in first)
        return (*first, *self._forecast_prompts(replace(facts, queries=max(0.0, queries))))

    def _forecast_prompts(self, facts: ForecastInputs) -> tuple[StageForecast, ...]:
        closing = self._make_closing()
        if not closing:
            return self._forecast_rounds(facts)
        part = replace(facts, queries=facts.queries * CLOSING_SHARE / len(closing))
        last = [stage for member in closing for stage in member.forecast(part)]
        share = facts.queries * (1 - CLOSING_SHARE)
        rounds = cut_to_budget(self._forecast_rounds(replace(facts, queries=share)), share)
        # The rounds have already scored the program that the closing starts from.
        return (*rounds, *(stage for stage in last if stage.stage != "prepare"))

    def _forecast_rounds(self, facts: ForecastInputs) -> tuple[StageForecast, ...]:
        count = self._count_rounds(facts.queries)
        queries = facts.queries / count
        raced = queries * _share_for_race(queries)
        first = self._make_round(queries=queries).forecast_round(replace(facts, queries=raced))
        edited = queries if math.isinf(queries) else queries - raced
        first = (*first, *self._make_edits().forecast(replace(facts, queries=edited)))
        later = Range(0.0, float(count - 1))
        more = [
            StageForecast(
                stage.stage,
                Range(stage.queries.low * later.low, stage.queries.high * later.high),
                Range(stage.proposals.low * later.low, stage.proposals.high * later.high),
                Range(stage.candidates.low * later.low, stage.candidates.high * later.high),
            )
            for stage in first
            if stage.stage != "prepare" and count > 1
        ]
        return (*first, *more)

    def _count_rounds(self, queries: float) -> int:
        if math.isinf(queries):
            return self.rounds
        return max(1, min(self.rounds, math.floor(queries / FEWEST_WITH_RACE)))

    async def search(self, run: Run) -> Candidate:
        """Mend the structure, search in rounds from the best so far, then close the search."""
        mended = run.start
        if self.structuring.share:
            part = run.make_child("structure", run.start, self.structuring.share)
            mended = await run_search(self._make_structure_search(), part)
            # Replies in a form that a model cannot write are asked for twice.
            run.scorer.expect_cost_of(mended)
        closing = self._make_closing()
        if not closing:
            return await self._search_rounds(run, mended)
        rounds = run.make_child("rounds", mended, 1 - CLOSING_SHARE)
        best = start = await self._search_rounds(rounds, mended)
        for number, member in enumerate(closing):
            name = type(member).__name__.lower()
            part = run.make_child(name, start, 1 / (len(closing) - number))
            part.offer(best)  # quality has to stay close to the best
            start = await run_search(member, part)
            best = part.best
        return best

    async def _search_rounds(self, run: Run, start: Candidate) -> Candidate:
        best, idle = start, 0
        count = self._count_rounds(run.queries_left())
        for number in range(count):
            share = 1 / (count - number)
            queries = run.queries_left() * share
            to_race = share * _share_for_race(queries)
            part = run.make_child(f"{number}", best, to_race)
            result = await run_search(self._make_round(number, queries), part)
            # What the first part leaves is for the edits as well.
            rest = (share - to_race) / (1 - to_race)
            part = run.make_child(f"{number}.edits", result, rest)
            result = await run_search(self._make_edits(), part)
            run.log("round", {"number": number, "digest": result.digest, "label": result.label})
            idle = idle + 1 if result == best else 0
            if idle == PATIENCE:
                break
            best = result
        return best


def _share_for_race(queries: float) -> float:
    return RACE_SHARE if queries >= FEWEST_WITH_RACE else EXPLORATION_SHARE
