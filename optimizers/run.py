"""What a search has in hand: the program, train, validation, and everything that it may ask.

The holdout is not here, and nothing here leads to it.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

from langprog import Example, Module
from langprog.errors import BudgetExceeded
from langprog.lm import Cost, LanguageModel, ModelRef
from langprog.modules import Signal
from optimizers.budget.forecast import ForecastInputs, StageForecast
from optimizers.budget.plan import REPAIR_MARGIN, BudgetShare, take_share
from optimizers.evaluation.candidate import Candidate, Values
from optimizers.evaluation.context_fit import ContextFit
from optimizers.evaluation.pareto import Objective
from optimizers.evaluation.scorer import Scorer, ScoreRequest
from optimizers.evaluation.scoring import Scoring
from optimizers.events import Reporter, Stage, StageAdvanced, StageStarted, Tried
from optimizers.identity import derive_seed, random_stream
from optimizers.journal import Journal


@dataclass(frozen=True)
class SearchInputs:
    """What does not change while a compile runs.

    Args:
        base: The program that was given.
        train: Examples for demonstrations and proposals.
        validation: Examples that steer the choice.
        metric: What scores a prediction, and what is known of it.
        seed: What every random decision derives from.
        concurrency: Examples in work at the same time.
    """

    base: Module
    train: tuple[Example, ...]
    validation: tuple[Example, ...]
    metric: Scoring
    seed: int
    concurrency: int

    @cached_property
    def context_fit(self) -> ContextFit:
        """What is known of the demonstrations that fit into the models' context windows."""
        return ContextFit(self.base, self.validation, self.metric)


class ShareSpent(BudgetExceeded):
    """A whole round took more than was left of a search's share."""


@dataclass
class Tally:
    """What a search and its parts have asked for in whole rounds.

    Args:
        share: The part of the budget that is for all of them.
        begun: What had been asked for before them.
        settled: The same after the last whole round. A round that the hard cap cut off is not in
            it: how far that one came depends on the order of answers.
        cut: Whether the hard cap cut a round off, or would have without a cache.
    """

    share: BudgetShare
    begun: Cost
    settled: Cost
    cut: bool = False

    def settle(self, now: Cost) -> None:
        """Take in a whole round, after which ``now`` is what was asked for."""
        self.settled = now
        self.cut = self.cut or self.share.is_exceeded_by(now - self.begun)


class Run:
    """One search: where it starts, what it may spend, the best that it has found.

    Args:
        materials: Program, data, metric and seed.
        journal: Takes every decision.
        scorer: Scores candidates on validation examples.
        reporter: Shows progress.
        share: Its part of the budget.
        start: Where the search begins; the program as it was given, or what an earlier member
            of a sequence found.
        name: Keeps the random streams of the members of a sequence apart.
        tally: Shared with the searches that this one is a part of.
    """

    def __init__(
        self,
        materials: SearchInputs,
        *,
        journal: Journal,
        scorer: Scorer,
        reporter: Reporter,
        share: BudgetShare,
        start: Candidate,
        name: str = "",
        tally: Tally | None = None,
    ) -> None:
        self.materials = materials
        self.journal = journal
        self.scorer = scorer
        self.start = start
        self.best = start
        # Whether the search has weighed quality against the objective itself.
        self.weighed = False
        self._reporter = reporter
        self._share = share
        self._mark = journal.meter.read()
        self._name = name
        self.tally = tally or Tally(share, self._mark, self._mark)
        self._best_mean: float | None = None
        self._asked_rows = 0
        self._asked_for = Cost()

    # --- what there is --------------------------------------------------------------------------

    @cached_property
    def program(self) -> Module:
        """The program where the search begins: a copy, as parts of it may be called."""
        return self.start.apply(self.materials.base).with_parameters({})

    @property
    def train(self) -> tuple[Example, ...]:
        """Examples for demonstrations and proposals."""
        return self.materials.train

    def candidate(self, values: Values, label: str = "") -> Candidate:
        """Return the candidate that sets ``values`` on top of where the search began."""
        merged = {**self.start.parameters, **values}
        candidate = Candidate.of(self.materials.base, merged, label)
        if candidate == self.start:
            return self.start
        return candidate

    def rng(self, *names: str | int) -> random.Random:
        """Return the stream of random numbers called ``names``."""
        return random_stream(self.materials.seed, self._name, *names)

    def sampling_seed(self, *names: str | int) -> int:
        """Return the seed that a model is to sample with for the work called ``names``."""
        return derive_seed(self.materials.seed, self._name, "sampling", *names)

    # --- the budget, in distinct requests, read between rounds only -----------------------------

    def asked(self) -> Cost:
        """Return what this search has asked for so far."""
        return self.journal.meter.read() - self._mark

    def left(self) -> Cost:
        """Return what this search may still ask for."""
        return self._share.left(self.asked())

    def affords_round(self, queries: float, reserve: float) -> bool:
        """Return whether enough is left for a round of ``queries`` and ``reserve`` more later.

        A round's queries count by what such queries took so far, which is little where candidates
        share the calls of their earlier modules; the reserve counts by the dearest query seen.
        """
        need = self._usual * queries * REPAIR_MARGIN + self.scorer.highest_cost * reserve
        return need <= self.left()

    @property
    def _usual(self) -> Cost:
        if not self._asked_rows:
            return self.scorer.highest_cost
        asked = self._asked_for
        return Cost(
            asked.calls / self._asked_rows,
            asked.tokens / self._asked_rows,
            asked.dollars / self._asked_rows,
        )

    def affords(self, queries: float, *, calls: float = 0.0) -> bool:
        """Return whether enough is left for ``queries`` of the program and more ``calls``."""
        return self.scorer.highest_cost * queries + Cost(calls) <= self.left()

    def queries_left(self) -> float:
        """Return how many queries of the program there is enough left for; ``inf`` if uncapped."""
        return max(0.0, self.left().count_of(self.scorer.highest_cost))

    def settle(self) -> None:
        """Close a round: see to it that it stayed within what the search may ask for.

        A cold and a warm run end here at the same point, where the hard cap on what is paid
        would stop the cold one alone.

        Raises:
            ShareSpent: It did not; its results must not be used.
        """
        self.tally.settle(self.journal.meter.read())
        self._reporter.update_spend()
        if self._share.is_exceeded_by(self.asked()):
            raise ShareSpent("the search has asked for all that its budget allows")

    # --- scoring and choosing -------------------------------------------------------------------

    async def score(self, asks: Sequence[ScoreRequest]) -> None:
        """Score candidates on validation examples as one round.

        Raises:
            BudgetExceeded: There is not enough left for it.
        """
        before = self.journal.meter.read()
        rows = await self.scorer.round(asks)
        self._asked_for = self._asked_for + (self.journal.meter.read() - before)
        self._asked_rows += rows
        self.settle()

    async def score_fully(self, candidates: Sequence[Candidate]) -> None:
        """Score candidates on every validation example as one round, and offer them."""
        everything = range(self.scorer.size)
        await self.score([ScoreRequest(candidate, everything) for candidate in candidates])
        for candidate in candidates:
            self.offer(candidate)

    def offer(self, candidate: Candidate) -> None:
        """Take ``candidate`` as the best, if its full validation mean is above the best's.

        Of equal means the candidate that changes less is taken. One that was scored on a part of
        validation only, or lost too many rows, is not.
        """
        if not self.scorer.complete(candidate):
            if not self.scorer.comparable(candidate):
                self.note(
                    f"dropped {candidate.label}: {self.scorer.lost(candidate)} of its rows were "
                    "lost on the way, so its mean cannot be compared"
                )
            return
        estimate = self.scorer.estimate(candidate)
        better = self._best_mean is None or estimate.mean > self._best_mean
        lighter = estimate.mean == self._best_mean and candidate.weight < self.best.weight
        if better or lighter:
            self.best, self._best_mean = candidate, estimate.mean
            self.log("best", self._evidence(candidate))
        self._reporter.emit(Tried(candidate.label, estimate, best=better or lighter))

    async def fit(self, candidate: Candidate) -> Candidate:
        """Return ``candidate``, with fewer demonstrations where all are too long for its model.

        Costs a query of the program for each try, and none where the demonstrations are short.

        Raises:
            BudgetExceeded: There is not enough left for it.
        """
        fitted, said = await self.materials.context_fit.halve_until_it_fits(candidate)
        if said:
            self.note(said, warning=True)
        return fitted

    # --- telling ------------------------------------------------------------------------------

    def log(self, what: str, data: Mapping[str, Any]) -> None:
        """Write a decision to the journal."""
        self.journal.decide(f"{self._name}{what}", data)

    def log_trial(self, candidate: Candidate, **more: Any) -> None:
        """Write down what is known of a candidate that was tried."""
        self.log("trial", {**self._evidence(candidate), **more})

    def _evidence(self, candidate: Candidate) -> dict[str, Any]:
        return {
            "digest": candidate.digest,
            "label": candidate.label,
            "calls": self.journal.meter.read().calls,
            "cost": self.scorer.cost(candidate).to_json(),
            **self.scorer.estimate(candidate).to_json(),
        }

    def note(self, text: str, *, warning: bool = False) -> None:
        """Tell a person something worth knowing, and keep it for the report."""
        self._reporter.note(text, warning=warning)

    def stage(self, stage: Stage, total: int | None, text: str) -> None:
        """Say that a stage begins."""
        self._reporter.emit(StageStarted(stage, total, text))

    def step(self, stage: Stage, done: int, total: int | None) -> None:
        """Say how far a stage is."""
        self._reporter.emit(StageAdvanced(stage, done, total))

    def child(self, name: str, start: Candidate, share: float) -> Run:
        """Return a search of its own for a member of a sequence.

        Args:
            name: Keeps its random streams apart.
            start: Where it begins.
            share: Its share of what is left.
        """
        return Run(
            self.materials,
            journal=self.journal,
            scorer=self.scorer,
            reporter=self._reporter,
            share=BudgetShare(take_share(self.left(), share)),
            start=start,
            name=f"{self._name}{name}.",
            tally=self.tally,
        )


class Searcher(Protocol):
    """The part of an optimizer that is its own."""

    @property
    def concurrency(self) -> int:
        """Examples in work at the same time."""
        ...

    @property
    def objective(self) -> Objective:
        """What counts: quality, cost or latency."""
        ...

    @property
    def tolerance(self) -> float:
        """Quality that may be given up for cost or latency."""
        ...

    async def search(self, run: Run) -> Candidate:
        """Return the best candidate found."""
        ...

    def check(self, program: Module) -> None:
        """Refuse a program that has nothing for this search to set."""
        ...

    def signals(self, program: Module) -> dict[str, Signal]:
        """Return how sure each cascade is asked to be, by its path."""
        ...

    def models_needed(self) -> tuple[LanguageModel | ModelRef | str, ...]:
        """Return models that the search names beside those of the program."""
        ...

    def models_offered(self) -> tuple[LanguageModel | ModelRef | str, ...]:
        """Return models that the search may put into the program."""
        ...

    def forecast(self, facts: ForecastInputs) -> tuple[StageForecast, ...]:
        """Return what a search is expected to take."""
        ...
