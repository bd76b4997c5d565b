"""What a search works with: the program, train, validation, scores and its budget.

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
        base: The input program.
        train: Examples for demonstrations and proposals.
        validation: Examples that guide the search.
        metric: Scores a prediction; with its range and tolerated errors.
        seed: All random decisions derive from it.
        concurrency: Examples processed at the same time.
    """

    base: Module
    train: tuple[Example, ...]
    validation: tuple[Example, ...]
    metric: Scoring
    seed: int
    concurrency: int

    @cached_property
    def context_fit(self) -> ContextFit:
        """Knows which demonstrations fit into the models' context windows."""
        return ContextFit(self.base, self.validation, self.metric)


class ShareSpent(BudgetExceeded):
    """A round took more than was left of a search's share of the budget."""


@dataclass
class Tally:
    """What a search and its parts have requested in complete rounds.

    Args:
        share: The part of the budget for all of them.
        begun: What had been requested before them.
        settled: What had been requested after the last complete round. A round that the hard cap
            cut off is excluded: how far it got depends on the order of answers.
        cut: Whether the hard cap cut a round off, or would have without a cache.
    """

    share: BudgetShare
    begun: Cost
    settled: Cost
    cut: bool = False

    def settle(self, now: Cost) -> None:
        """Add a complete round, after which ``now`` is the total requested."""
        self.settled = now
        self.cut = self.cut or self.share.is_exceeded_by(now - self.begun)


class Run:
    """One search: where it starts, what it may spend, and its best candidate.

    Args:
        materials: Program, data, metric and seed.
        journal: Records every decision.
        scorer: Scores candidates on validation examples.
        reporter: Shows progress.
        share: The search's part of the budget.
        start: Where the search begins: the input program, or the result of an earlier member of
            a chain.
        name: Keeps the random streams of the members of a chain apart.
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
        self._scored_rows = 0
        self._scoring_cost = Cost()

    # --- program and data -----------------------------------------------------------------------

    @cached_property
    def program(self) -> Module:
        """The program where the search begins; a copy, because parts of it may be called."""
        return self.start.apply(self.materials.base).with_parameters({})

    @property
    def is_part(self) -> bool:
        """Whether this search is a part of another one."""
        return bool(self._name)

    @property
    def train(self) -> tuple[Example, ...]:
        """Examples for demonstrations and proposals."""
        return self.materials.train

    def make_candidate(self, values: Values, label: str = "") -> Candidate:
        """Return the candidate that adds ``values`` to those of the search's start."""
        merged = {**self.start.parameters, **values}
        candidate = Candidate.of(self.materials.base, merged, label)
        if candidate == self.start:
            return self.start
        return candidate

    def rng(self, *names: str | int) -> random.Random:
        """Return the stream of random numbers called ``names``."""
        return random_stream(self.materials.seed, self._name, *names)

    def sampling_seed(self, *names: str | int) -> int:
        """Return the sampling seed of requests named ``names``; the same in every run."""
        return derive_seed(self.materials.seed, self._name, "sampling", *names)

    # --- the budget, in distinct requests; read only between rounds -----------------------------

    def requested(self) -> Cost:
        """Return the cost of what this search has requested so far."""
        return self.journal.meter.read() - self._mark

    def budget_left(self) -> Cost:
        """Return the cost of what this search may still request."""
        return self._share.subtract(self.requested())

    def affords_round(self, queries: float, reserve: float) -> bool:
        """Return whether enough is left for a round of ``queries`` and ``reserve`` later ones.

        The queries of the round count at the average cost so far, which is low if candidates
        share the calls of their earlier modules; the reserve counts at the highest cost so far.
        """
        need = (
            self._average_query_cost * queries * REPAIR_MARGIN + self.scorer.highest_cost * reserve
        )
        return need <= self.budget_left()

    @property
    def _average_query_cost(self) -> Cost:
        if not self._scored_rows:
            return self.scorer.highest_cost
        cost = self._scoring_cost
        return Cost(
            cost.calls / self._scored_rows,
            cost.tokens / self._scored_rows,
            cost.dollars / self._scored_rows,
        )

    def affords(self, queries: float, *, calls: float = 0.0) -> bool:
        """Return whether enough is left for ``queries`` of the program and ``calls`` besides."""
        return self.scorer.highest_cost * queries + Cost(calls) <= self.budget_left()

    def queries_left(self) -> float:
        """Return how many queries of the program are still affordable; ``inf`` if uncapped."""
        return max(0.0, self.budget_left().count_of(self.scorer.highest_cost))

    def settle(self) -> None:
        """Close a round, and check that it stayed within the search's share of the budget.

        This stops runs with a cold and a warm cache at the same point; the hard cap on what is
        paid would stop only the cold one.

        Raises:
            ShareSpent: It took more; its results must not be used.
        """
        self.tally.settle(self.journal.meter.read())
        self._reporter.update_spend()
        if self._share.is_exceeded_by(self.requested()):
            raise ShareSpent("the search has used its part of the budget")

    # --- scoring and choosing -------------------------------------------------------------------

    async def score(self, requests: Sequence[ScoreRequest]) -> None:
        """Score candidates on validation examples as one round.

        Raises:
            BudgetExceeded: Not enough is left.
        """
        before = self.journal.meter.read()
        rows = await self.scorer.score(requests)
        self._scoring_cost = self._scoring_cost + (self.journal.meter.read() - before)
        self._scored_rows += rows
        self.settle()

    async def score_fully(self, candidates: Sequence[Candidate]) -> None:
        """Score candidates on every validation example as one round, and offer them."""
        everything = range(self.scorer.size)
        await self.score([ScoreRequest(candidate, everything) for candidate in candidates])
        for candidate in candidates:
            self.offer(candidate)

    def offer(self, candidate: Candidate) -> None:
        """Make ``candidate`` the best if its mean on all of validation is the highest so far.

        Of equal means, the input program wins, then the candidate with the cheaper prompts, then
        the one that changes less. A candidate scored on only a part of validation, or missing too
        many scores, is not considered.
        """
        if not self.scorer.is_complete(candidate):
            if not self.scorer.is_comparable(candidate):
                self.note(
                    f"dropped {candidate.label}: {self.scorer.count_missing(candidate)} of its "
                    "rows have no score, so its mean cannot be compared"
                )
            return
        estimate = self.scorer.estimate(candidate)
        better = self._best_mean is None or estimate.mean > self._best_mean
        cheaper = estimate.mean == self._best_mean and self._is_cheaper(candidate)
        if better or cheaper:
            self.best, self._best_mean = candidate, estimate.mean
            self.log("best", self._evidence(candidate))
        self._reporter.emit(Tried(candidate.label, estimate, best=better or cheaper))

    def _is_cheaper(self, candidate: Candidate) -> bool:
        if not candidate.parameters or not self.best.parameters:
            return not candidate.parameters and bool(self.best.parameters)
        return self.scorer.is_cheaper(candidate, self.best)

    async def fit(self, candidate: Candidate) -> Candidate:
        """Return ``candidate``, with fewer demonstrations if they are too long for its model.

        Each try costs a query of the program; short demonstrations need none.

        Raises:
            BudgetExceeded: Not enough is left.
        """
        fitted, note = await self.materials.context_fit.halve_until_it_fits(candidate)
        if note:
            self.note(note, warning=True)
        return fitted

    # --- journal and progress -------------------------------------------------------------------

    def log(self, what: str, data: Mapping[str, Any]) -> None:
        """Write a decision to the journal."""
        self.journal.record_decision(f"{self._name}{what}", data)

    def log_trial(self, candidate: Candidate, **more: Any) -> None:
        """Write the results of a candidate to the journal."""
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
        """Show a message to the user, and keep it for the report."""
        self._reporter.note(text, warning=warning)

    def start_stage(self, stage: Stage, total: int | None, text: str) -> None:
        """Report that a stage begins."""
        self._reporter.emit(StageStarted(stage, total, text))

    def advance_stage(self, stage: Stage, done: int, total: int | None) -> None:
        """Report the progress of a stage."""
        self._reporter.emit(StageAdvanced(stage, done, total))

    def make_child(self, name: str, start: Candidate, share: float) -> Run:
        """Return a separate search for a member of a chain.

        Args:
            name: Keeps its random streams apart.
            start: Where it begins.
            share: Its share of the budget left.
        """
        return Run(
            self.materials,
            journal=self.journal,
            scorer=self.scorer,
            reporter=self._reporter,
            share=BudgetShare(take_share(self.budget_left(), share)),
            start=start,
            name=f"{self._name}{name}.",
            tally=self.tally,
        )

    def continue_from(self, start: Candidate, share: BudgetShare, name: str) -> Run:
        """Return what follows this search, with a part of the budget of its own.

        Args:
            start: Where it begins.
            share: What it may request.
            name: Keeps its random streams apart.
        """
        mark = self.journal.meter.read()
        return Run(
            self.materials,
            journal=self.journal,
            scorer=self.scorer,
            reporter=self._reporter,
            share=share,
            start=start,
            name=f"{self._name}{name}.",
            tally=Tally(share, mark, mark, self.tally.cut),
        )


class Searcher(Protocol):
    """What a compile needs of an optimizer."""

    @property
    def concurrency(self) -> int:
        """Examples processed at the same time."""
        ...

    @property
    def objective(self) -> Objective:
        """What to optimize: quality, cost or latency."""
        ...

    @property
    def tolerance(self) -> float:
        """Loss in quality that is accepted for cost or latency."""
        ...

    async def search(self, run: Run) -> Candidate:
        """Return the best candidate."""
        ...

    def prunes(self) -> bool:
        """Return whether changes that do not pay for themselves are put back after the search."""
        ...

    def check(self, program: Module) -> None:
        """Refuse a program in which this search cannot set anything."""
        ...

    def signals(self, program: Module) -> dict[str, Signal]:
        """Return the signal that each cascade uses, by its path."""
        ...

    def models_needed(self) -> tuple[LanguageModel | ModelRef | str, ...]:
        """Return the models that the search needs in addition to the program's own."""
        ...

    def models_offered(self) -> tuple[LanguageModel | ModelRef | str, ...]:
        """Return the models that the search may assign in the program."""
        ...

    def forecast(self, facts: ForecastInputs) -> tuple[StageForecast, ...]:
        """Forecast the requests of a search, stage by stage."""
        ...
