"""The flagship: rounds of bootstrapping, proposing and racing, each from the best so far.

Follows: MIPRO (Opsahl-Ong et al., 2024) for the joint search of a round; GEPA (Agrawal et al.,
2025) for learning from the mistakes of the best program instead of the first one's.
Differs: a round begins where the one before ended, so that its demonstrations come from runs of a
better program and its proposals from the mistakes that are left; rounds end when one brings
nothing, or with the budget. Where there are models to choose from, they are then assigned module
by module (LLMSelector): a round tries few of the combinations, and looks for quality alone. For
cost or latency, demonstrations that bring less than they may are taken out before.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from langprog import Module
from langprog.errors import InputError
from langprog.lm import LanguageModel, ModelRef
from optimizers.base import Optimizer
from optimizers.budget.forecast import ForecastInputs, Range, StageForecast, cut_to_budget
from optimizers.demos.pruning import DemoPruning
from optimizers.evaluation.candidate import Candidate
from optimizers.instructions.asking import Proposing
from optimizers.models.selector import LLMSelector
from optimizers.pipeline import run_search
from optimizers.run import Run
from optimizers.search.mipro import MIPRO
from optimizers.search.sizes import Auto

# The first round gets this share of the budget; each later one the same share of what is left.
FIRST = 0.6
# A round later than the first asks for this share of its proposals from mistakes.
LATER_FROM_MISTAKES = 0.75
# So many rounds without a gain, one after the other, end the search.
PATIENCE = 2
# With fewer queries than this a second round would only take from the first.
WORTH_A_ROUND = 250
# What follows the rounds gets this share of the budget, and what they leave.
CLOSING = 0.3


@dataclass(frozen=True, kw_only=True)
class Compiler(Optimizer):
    """Compile with defaults that need no knob.

    Args:
        models: Models that each predictor may use beside its own.
        rounds: Rounds at most.
        auto: How thorough a round is: ``light``, ``medium`` or ``heavy``; a budget cuts it down.
        proposing: How instructions are proposed.
        concurrency: Examples in work at the same time.
    """

    models: Sequence[str | ModelRef | LanguageModel] = ()
    rounds: int = 6
    auto: Auto = "light"
    proposing: Proposing = Proposing()

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.rounds < 1:
            raise InputError(f"rounds is 1 or more, not {self.rounds}")
        self._round()  # checks what it hands on

    def _round(self, number: int = 0) -> MIPRO:
        proposing = self.proposing
        if number:
            proposing = replace(proposing, from_mistakes=LATER_FROM_MISTAKES)
        return MIPRO(
            auto=self.auto,
            models=self.models,
            proposing=proposing,
            concurrency=self.concurrency,
        )

    def check(self, program: Module) -> None:
        """Refuse what a round refuses."""
        self._round().check(program)

    def models_needed(self) -> tuple[LanguageModel | ModelRef | str, ...]:
        """Return the models to choose from, and the proposer."""
        return self._round().models_needed()

    def models_offered(self) -> tuple[LanguageModel | ModelRef | str, ...]:
        """Return the models to choose from."""
        return tuple(self.models)

    def _closing(self) -> tuple[Optimizer, ...]:
        """Return what follows the rounds."""
        lighter = DemoPruning(
            objective=self.objective, tolerance=self.tolerance, concurrency=self.concurrency
        )
        found: list[Optimizer] = [] if self.objective == "quality" else [lighter]
        if self.models:
            found.append(
                LLMSelector(
                    models=self.models,
                    objective=self.objective,
                    tolerance=self.tolerance,
                    concurrency=self.concurrency,
                )
            )
        return tuple(found)

    def forecast(self, facts: ForecastInputs) -> tuple[StageForecast, ...]:
        """Return the first round, the later ones as far as they come, and what follows."""
        closing = self._closing()
        if not closing:
            return self._rounds(facts)
        part = replace(facts, queries=facts.queries * CLOSING / len(closing))
        last = [work for member in closing for work in member.forecast(part)]
        share = facts.queries * (1 - CLOSING)
        rounds = cut_to_budget(self._rounds(replace(facts, queries=share)), share)
        # What the closing begins with was scored in the rounds.
        return (*rounds, *(work for work in last if work.stage != "prepare"))

    def _rounds(self, facts: ForecastInputs) -> tuple[StageForecast, ...]:
        count = self._count(facts.queries)
        share = FIRST if count > 1 else 1.0
        first = self._round().forecast(replace(facts, queries=facts.queries * share))
        later = Range(0.0, float(count - 1))
        more = [
            StageForecast(
                one.stage,
                Range(one.queries.low * later.low, one.queries.high * later.high),
                Range(one.proposals.low * later.low, one.proposals.high * later.high),
                Range(one.candidates.low * later.low, one.candidates.high * later.high),
            )
            for one in first
            if one.stage != "prepare" and count > 1
        ]
        return (*first, *more)

    def _count(self, queries: float) -> int:
        if math.isinf(queries):
            return self.rounds
        return max(1, min(self.rounds, math.floor(queries / WORTH_A_ROUND)))

    async def search(self, run: Run) -> Candidate:
        """Search in rounds, each from the best of the one before; then do what ends it."""
        closing = self._closing()
        if not closing:
            return await self._searched(run)
        best = start = await self._searched(run.child("rounds", run.start, 1 - CLOSING))
        for number, member in enumerate(closing):
            name = type(member).__name__.lower()
            part = run.child(name, start, 1 / (len(closing) - number))
            part.offer(best)  # what is to be close in quality, is to be close to this
            start = await run_search(member, part)
            best = part.best
        return best

    async def _searched(self, run: Run) -> Candidate:
        best, idle = run.start, 0
        count = self._count(run.queries_left())
        for number in range(count):
            share = FIRST if number + 1 < count else 1.0
            found = await run_search(self._round(number), run.child(f"{number}", best, share))
            run.log("round", {"number": number, "digest": found.digest, "label": found.label})
            idle = idle + 1 if found == best else 0
            if idle == PATIENCE:
                break
            best = found
        return best
