"""What a search has in hand: the program, train, validation, and everything that it may ask.

The holdout is not here, and nothing here leads to it.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

from langprog import Example, Module
from langprog.errors import BudgetExceeded
from langprog.evaluation import Metric
from optimizers.allowance import SPARE, Allowance, Share
from optimizers.candidate import Candidate, Values
from optimizers.journal import Journal
from optimizers.meter import Metered
from optimizers.progress import BestSoFar, Noted, Stage, StageStarted, Stepped
from optimizers.scoring import Ask, QueryCost, Scorer
from optimizers.streams import derived_seed, stream
from optimizers.teller import Teller


@dataclass(frozen=True, slots=True)
class Materials:
    """What does not change while a compile runs.

    Args:
        base: The program that was given.
        train: Examples for demonstrations and proposals.
        validation: Examples that steer the choice.
        metric: What scores a prediction.
        seed: What every random decision derives from.
        concurrency: Examples in work at the same time.
    """

    base: Module
    train: tuple[Example, ...]
    validation: tuple[Example, ...]
    metric: Metric
    seed: int
    concurrency: int


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

    share: Share
    begun: Metered
    settled: Metered
    cut: bool = False

    def settle(self, now: Metered) -> None:
        """Take in a whole round, after which ``now`` is what was asked for."""
        self.settled = now
        self.cut = self.cut or self.share.passed(now.since(self.begun))


class Run:
    """One search: where it starts, what it may spend, the best that it has found.

    Args:
        materials: Program, data, metric and seed.
        journal: Takes every decision.
        scorer: Scores candidates on validation examples.
        teller: Shows progress.
        share: Its part of the budget.
        start: Where the search begins; the program as it was given, or what an earlier member
            of a sequence found.
        name: Keeps the random streams of the members of a sequence apart.
        tally: Shared with the searches that this one is a part of.
    """

    def __init__(
        self,
        materials: Materials,
        *,
        journal: Journal,
        scorer: Scorer,
        teller: Teller,
        share: Share,
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
        self._teller = teller
        self._share = share
        self._mark = journal.meter.read()
        self._name = name
        self.tally = tally or Tally(share, self._mark, self._mark)
        self._best_mean: float | None = None
        self._asked_rows = 0
        self._asked_for = Metered()

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
        return stream(self.materials.seed, self._name, *names)

    def sampling_seed(self, *names: str | int) -> int:
        """Return the seed that a model is to sample with for the work called ``names``."""
        return derived_seed(self.materials.seed, self._name, "sampling", *names)

    # --- the budget, in distinct requests, read between rounds only -----------------------------

    def asked(self) -> Metered:
        """Return what this search has asked for so far."""
        return self.journal.meter.read().since(self._mark)

    def left(self) -> Allowance:
        """Return what this search may still ask for."""
        return self._share.left(self.asked())

    def affords_round(self, queries: float, reserve: float) -> bool:
        """Return whether enough is left for a round of ``queries`` and ``reserve`` more later.

        A round's queries count by what such queries took so far, which is little where candidates
        share the calls of their earlier modules; the reserve counts by the dearest query seen.
        """
        usual, dearest = self._usual, self.scorer.dearest
        return self.left().covers(
            queries * usual.calls * SPARE + reserve * dearest.calls,
            queries * usual.tokens * SPARE + reserve * dearest.tokens,
            queries * usual.dollars * SPARE + reserve * dearest.dollars,
        )

    @property
    def _usual(self) -> QueryCost:
        if not self._asked_rows:
            return self.scorer.dearest
        asked = self._asked_for
        return QueryCost(
            asked.calls / self._asked_rows,
            asked.tokens / self._asked_rows,
            (asked.dollars or 0.0) / self._asked_rows,
        )

    def affords(self, queries: float, *, calls: float = 0.0) -> bool:
        """Return whether enough is left for ``queries`` of the program and more ``calls``."""
        one = self.scorer.dearest
        return self.left().covers(
            queries * one.calls + calls, queries * one.tokens, queries * one.dollars
        )

    def queries_left(self) -> float:
        """Return how many queries of the program there is enough left for; ``inf`` if uncapped."""
        one = self.scorer.dearest
        return max(0.0, self.left().times_covered(one.calls, one.tokens, one.dollars))

    def settle(self) -> None:
        """Close a round: see to it that it stayed within what the search may ask for.

        A cold and a warm run end here at the same point, where the hard cap on what is paid
        would stop the cold one alone.

        Raises:
            ShareSpent: It did not; its results must not be used.
        """
        self.tally.settle(self.journal.meter.read())
        self._teller.spent()
        if self._share.passed(self.asked()):
            raise ShareSpent("the search has asked for all that its budget allows")

    # --- scoring and choosing -------------------------------------------------------------------

    async def score(self, asks: Sequence[Ask]) -> None:
        """Score candidates on validation examples as one round.

        Raises:
            BudgetExceeded: There is not enough left for it.
        """
        before = self.journal.meter.read()
        rows = await self.scorer.round(asks)
        self._asked_for = self._asked_for.plus(self.journal.meter.read().since(before))
        self._asked_rows += rows
        self.settle()

    async def score_fully(self, candidates: Sequence[Candidate]) -> None:
        """Score candidates on every validation example as one round, and offer them."""
        everything = range(self.scorer.size)
        await self.score([Ask(candidate, everything) for candidate in candidates])
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
            self._teller.tell(
                BestSoFar(candidate.label, estimate.mean, estimate.low, estimate.high, estimate.n)
            )
            self.log("best", self._evidence(candidate))

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
            "cost": asdict(self.scorer.cost(candidate)),
            **self.scorer.estimate(candidate).to_json(),
        }

    def note(self, text: str, *, warning: bool = False) -> None:
        """Tell a person something worth knowing, and keep it for the report."""
        self._teller.note(Noted(text, warning))

    def stage(self, stage: Stage, total: int | None, text: str) -> None:
        """Say that a stage begins."""
        self._teller.tell(StageStarted(stage, total, text))

    def step(self, stage: Stage, done: int, total: int | None) -> None:
        """Say how far a stage is."""
        self._teller.tell(Stepped(stage, done, total))

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
            teller=self._teller,
            share=Share(self.left().times(share)),
            start=start,
            name=f"{self._name}{name}.",
            tally=self.tally,
        )
