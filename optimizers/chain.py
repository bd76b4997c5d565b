"""Run optimizers one after another, each starting from the previous result."""

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

    Each gets an equal share of the budget left at its turn. They share the split, the journal,
    the budget and the certificate.

    Args:
        *members: Optimizers, in order.
        concurrency: Examples processed at the same time, for all members.
        objective: See Optimizer; the objectives of the members are ignored.
        tolerance: See Optimizer.

    Raises:
        InputError: There are no members.
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
        for member in members:
            if not isinstance(member, Optimizer):
                raise InputError(f"a Chain takes optimizers, not {member!r:.60}")
        object.__setattr__(self, "members", members)
        object.__setattr__(self, "concurrency", concurrency)
        object.__setattr__(self, "objective", objective)
        object.__setattr__(self, "tolerance", tolerance)
        self.__post_init__()

    def prunes(self) -> bool:
        """Return whether the result of the last member is pruned."""
        return self.members[-1].prunes()

    def check(self, program: Module) -> None:
        """Refuse a program that a member refuses."""
        for member in self.members:
            member.check(program)

    def signals(self, program: Module) -> dict[str, Signal]:
        """Return the signals that the last member sets."""
        signals = super().signals(program)
        for member in self.members:
            signals |= member.signals(program)
        return signals

    def models_needed(self) -> tuple[LanguageModel | ModelRef | str, ...]:
        """Return the models that the members need."""
        return tuple(model for member in self.members for model in member.models_needed())

    def models_offered(self) -> tuple[LanguageModel | ModelRef | str, ...]:
        """Return the models that the members may assign."""
        return tuple(model for member in self.members for model in member.models_offered())

    def forecast(self, facts: ForecastInputs) -> tuple[StageForecast, ...]:
        """Forecast the members' stages, each with its share of the budget."""
        share = replace(facts, queries=facts.queries / len(self.members))
        return tuple(stage for member in self.members for stage in member.forecast(share))

    async def search(self, run: Run) -> Candidate:
        """Run the search of each member in order."""
        candidate = run.start
        for number, member in enumerate(self.members):
            part = run.make_child(f"{number}", candidate, 1.0 / (len(self.members) - number))
            candidate = await run_search(member, part)
        return candidate
