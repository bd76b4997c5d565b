"""One optimizer after another, each beginning where the one before ended."""

from __future__ import annotations

from dataclasses import dataclass, replace

from langprog import Module
from langprog.errors import InputError
from langprog.lm import LanguageModel, ModelRef
from langprog.modules import Signal
from optimizers.base import Optimizer
from optimizers.budget.forecast import ForecastInputs, StageForecast
from optimizers.evaluation.candidate import Candidate
from optimizers.evaluation.pareto import Objective
from optimizers.pipeline import run_search
from optimizers.run import Run


@dataclass(frozen=True, init=False)
class Chain(Optimizer):
    """Chain optimizers: ``Chain(BootstrapFewShot(), MIPRO(instructions=8))``.

    Each may ask for an equal share of what is left when its turn comes. The split, the journal,
    the budget and the certificate are common to all.

    Args:
        *members: Optimizers, in order.
        concurrency: Examples in work at the same time, for all members.
        objective: See Optimizer; those of the members do not count.
        tolerance: See Optimizer.

    Raises:
        InputError: There is no member.
    """

    members: tuple[Optimizer, ...]

    def __init__(
        self,
        *members: Optimizer,
        concurrency: int = 64,
        objective: Objective = "quality",
        tolerance: float = 0.05,
    ) -> None:
        if not members:
            raise InputError("a Chain needs at least one optimizer")
        object.__setattr__(self, "members", members)
        object.__setattr__(self, "concurrency", concurrency)
        object.__setattr__(self, "objective", objective)
        object.__setattr__(self, "tolerance", tolerance)
        self.__post_init__()

    def check(self, program: Module) -> None:
        """Refuse what a member refuses."""
        for member in self.members:
            member.check(program)

    def signals(self, program: Module) -> dict[str, Signal]:
        """Return the signals of the last member that sets them."""
        asked = super().signals(program)
        for member in self.members:
            asked |= member.signals(program)
        return asked

    def models_needed(self) -> tuple[LanguageModel | ModelRef | str, ...]:
        """Return what the members need."""
        return tuple(model for member in self.members for model in member.models_needed())

    def models_offered(self) -> tuple[LanguageModel | ModelRef | str, ...]:
        """Return what the members may put into the program."""
        return tuple(model for member in self.members for model in member.models_offered())

    def forecast(self, facts: ForecastInputs) -> tuple[StageForecast, ...]:
        """Return the members' work, each with its share of the budget."""
        share = replace(facts, queries=facts.queries / len(self.members))
        return tuple(work for member in self.members for work in member.forecast(share))

    async def search(self, run: Run) -> Candidate:
        """Let the members search, one after another."""
        candidate = run.start
        for number, member in enumerate(self.members):
            part = run.child(f"{number}", candidate, 1.0 / (len(self.members) - number))
            candidate = await run_search(member, part)
        return candidate
