"""What surrounds every search: checks, split, journal, budget, and the holdout, used once.

The holdout lives here. A search gets a :class:`Run`, which has no way to it.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from typing import Protocol

from langprog import Module, using
from langprog.errors import BudgetExceeded, InputError
from langprog.evaluation import metric_name
from langprog.lm import LanguageModel, Ledger, ModelRef, Recorded, keep_budgets, model_from
from langprog.modules import Signal
from langprog.runtime import assume_schemas
from optimizers.allowance import SPARE, Allowance, Share, plan, unpaid
from optimizers.binding import AskedModels, bind_program, check_models
from optimizers.candidate import Candidate
from optimizers.certificate import Aim, Certificate, Pairs, certify, too_few, uncertain
from optimizers.compiled import Compiled
from optimizers.dialects import Dialects, models_of
from optimizers.evidence import Evidence
from optimizers.fingerprint import data_digest, knobs_of, metric_digest
from optimizers.forecast import Facts, Work
from optimizers.front import FrontPoint, Objective, chosen, front_of, points_of
from optimizers.journal import Journal
from optimizers.meter import Metered
from optimizers.order import Order
from optimizers.preflight import (
    Preflight,
    Probe,
    alternatives,
    forecast,
    grown,
    probed,
    rendered_cost,
)
from optimizers.progress import Finished, Foreseen, Noted, Progress, StageStarted
from optimizers.report import CompileReport, compared_rows, prompts_of, scored_rows
from optimizers.run import Materials, Run, ShareSpent, Tally
from optimizers.scoring import QueryCost, Scorer
from optimizers.shared_state import Watched
from optimizers.teller import Teller


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

    def forecast(self, facts: Facts) -> tuple[Work, ...]:
        """Return what a search is expected to take."""
        ...


async def compiled(
    searcher: Searcher, order: Order, run_dir: str | os.PathLike[str] | None, progress: Progress
) -> Compiled:
    """Search, certify, and return the result."""
    searcher.check(order.program)
    with (
        _checked_models(searcher, order.program),
        closing(Journal(run_dir, order.identity(searcher))) as journal,
    ):
        return await _Compilation(searcher, order, journal, progress).run()


async def estimated(searcher: Searcher, order: Order) -> Preflight:
    """Run the program on a few validation examples, and say what a compile would take."""
    searcher.check(order.program)
    with _checked_models(searcher, order.program):
        probe = await probed(
            order.program, order.parts.validation, order.metric, order.seed, searcher.concurrency
        )
        _, priced = rendered_cost(order.program, ())
    return _preflight(searcher, order, probe.cost, priced=priced, probe=probe)


@contextmanager
def _checked_models(searcher: Searcher, program: Module) -> Iterator[None]:
    """See to it, before anything is asked, that every model is one and can be found.

    A name in the program may stand for an object that the search is offered.
    """
    needed = [model_from(model, "a model of the optimizer") for model in searcher.models_needed()]
    offered = [model_from(model) for model in searcher.models_offered()]
    handed = [model for model in offered if isinstance(model, ModelRef)]
    with using(models=handed or None):
        check_models(program, offered, needed)
        yield


def _preflight(
    searcher: Searcher,
    order: Order,
    cost: QueryCost,
    *,
    priced: bool,
    probe: Probe | None = None,
) -> Preflight:
    parts, predictors = order.parts, len(order.program.predictors())
    divided = plan(order.budget, len(parts.holdout), order.program.calls_per_example())
    searched = divided.search.without(divided.kept(cost.plus(grown(cost))))
    facts = Facts(
        predictors,
        len(parts.train),
        len(parts.validation),
        searched.times_covered(cost.calls, cost.tokens, cost.dollars),
        None if probe is None else probe.right,
        alternatives(order.program),
    )
    works = searcher.forecast(facts)
    return forecast(works, facts, divided, cost, priced=priced, probe=probe)


class _Compilation:
    def __init__(
        self, searcher: Searcher, order: Order, journal: Journal, progress: Progress
    ) -> None:
        self._searcher = searcher
        self._order = order
        self._journal = journal
        earlier = journal.earlier
        calls = order.program.calls_per_example()
        self._plan = plan(order.budget, len(order.parts.holdout), calls)
        self._ledger = Ledger(unpaid(order.budget, earlier.paid, earlier.seconds))
        self._teller = Teller(progress, order.budget, self._ledger, journal)
        self._watched = Watched(order.program, self._teller.notice)
        self._asked = AskedModels()
        self._wrapped: dict[int, tuple[LanguageModel, Recorded]] = {}
        self._scorer = Scorer(
            order.program,
            order.parts.validation,
            order.metric,
            searcher.concurrency,
            priced=searcher.objective == "cost",
        )

    async def run(self) -> Compiled:
        order, searcher = self._order, self._searcher
        with (
            using(budget=self._ledger, wrap=self._recorded, notice=self._teller.notice),
            Dialects(
                models_of(order.program, searcher.models_needed()), self._journal, self._teller
            ) as dialects,
        ):
            self._prepare()
            await dialects.negotiate(
                order.program, order.parts.train, searcher.signals(order.program)
            )
            with assume_schemas(dialects.schemas):
                return await self._search_and_certify()

    async def _search_and_certify(self) -> Compiled:
        candidate, tally = await self._searched()
        begun = self._journal.meter.read()
        certificate, pairs = await self._certified(candidate, tally)
        certified = self._journal.meter.read().since(begun)
        ships = certificate.verdict != "original"
        program = self._order.program
        shipped = bind_program(candidate.apply(program) if ships else program)
        name = type(self._searcher).__name__
        front = [
            replace(point, program=bind_program(point.program), optimizer=name)
            for point in front_of(self._points)
        ]
        self._watched.say_changed()
        self._teller.spent()
        self._teller.tell(Finished(certificate.verdict, str(certificate)))
        asked = tally.settled, certified
        return self._result((shipped, front), candidate, certificate, asked, pairs)

    def _recorded(self, model: LanguageModel) -> LanguageModel:
        # One wrapper a model, so that equal requests in flight at once find each other.
        known = self._wrapped.get(id(model))
        if known is None:
            self._asked.add(model)
            counted = keep_budgets(model, self._ledger)
            # The model is kept as well: its id stays taken as long as this knows it.
            known = self._wrapped[id(model)] = (model, Recorded(counted, self._journal))
        return known[1]

    def _prepare(self) -> None:
        parts, earlier = self._order.parts, self._journal.earlier
        self._teller.tell(
            StageStarted(
                "prepare",
                None,
                f"{len(parts.train)} examples for train, {len(parts.validation)} for validation, "
                f"{len(parts.holdout)} held out",
            )
        )
        if earlier.sessions:
            self._teller.note(
                Noted(
                    f"resuming: {earlier.paid.calls} paid calls of {earlier.sessions} earlier "
                    f"session{'s' if earlier.sessions > 1 else ''} are in the journal"
                )
            )
        if parts.moved:
            self._teller.note(
                Noted(f"{parts.moved} examples were given twice and kept in one part", True)
            )
        self._watched.say_hidden()
        self._foresee()
        few = too_few(self._plan.certified_rows)
        if few is not None:
            self._teller.note(Noted(few, True))
        elif self._plan.certified_rows < len(parts.holdout):
            self._teller.note(
                Noted(
                    f"the budget pays for {self._plan.certified_rows} of "
                    f"{len(parts.holdout)} holdout examples"
                )
            )

    def _foresee(self) -> None:
        """Say what is to be expected.

        Raises:
            InputError: The budget is too small to try anything; nothing was asked yet.
        """
        order = self._order
        cost, priced = rendered_cost(order.program, order.parts.validation)
        found = _preflight(self._searcher, order, cost, priced=priced)
        if found.refusal is not None:
            raise InputError(found.refusal)
        self._foreseen = found
        spans = found.calls, found.dollars, found.candidates
        calls, dollars, candidates = ((s.low, s.high) if s is not None else None for s in spans)
        assert calls is not None and candidates is not None
        lines = tuple(found.lines())
        self._teller.tell(Foreseen(calls, dollars, candidates, found.detectable, lines))

    async def _searched(self) -> tuple[Candidate, Tally]:
        order, earlier = self._order, self._journal.earlier
        run = Run(
            Materials(
                order.program,
                order.parts.train,
                order.parts.validation,
                order.metric,
                order.seed,
                self._searcher.concurrency,
            ),
            journal=self._journal,
            scorer=self._scorer,
            teller=self._teller,
            share=Share(self._plan.search, self._kept),
            start=Candidate(),
        )
        cap = Ledger(unpaid(self._plan.search_budget, earlier.paid, earlier.seconds))
        with using(budget=cap):
            best = await finished(self._searcher, run)
        self._points = points_of(self._scorer, order.program)
        searcher = self._searcher
        candidate = best
        if not run.weighed:
            candidate = chosen(searcher.objective, best, self._points, searcher.tolerance)
        if candidate != best:
            run.log("chosen", {"objective": searcher.objective, "digest": candidate.digest})
        return candidate, run.tally

    def _kept(self) -> Allowance:
        """Return what the certificate needs, by the dearest candidate so far."""
        scorer = self._scorer
        pair = scorer.cost(Candidate()).plus(scorer.dearest) if scorer.candidates else None
        return self._plan.kept(pair)

    async def _certified(self, candidate: Candidate, tally: Tally) -> tuple[Certificate, Pairs]:
        order = self._order
        rows = self._affordable_rows(candidate, tally)
        self._teller.tell(StageStarted("certify", rows, f"both programs on {rows} held-out rows"))
        try:
            certificate, pairs = await certify(
                order.program,
                candidate.apply(order.program),
                order.parts.holdout[:rows],
                order.metric,
                accept=order.accept,
                concurrency=self._searcher.concurrency,
                search_dollars=tally.settled.dollars,
                aim=Aim(self._searcher.objective, self._searcher.tolerance),
            )
        except BudgetExceeded as error:
            certificate, pairs = (
                uncertain(f"the budget ended before the certificate: {error}", order.accept),
                (),
            )
        self._journal.decide("certificate", certificate.to_json())
        return certificate, pairs

    def _affordable_rows(self, candidate: Candidate, tally: Tally) -> int:
        plan = self._plan
        pair = self._scorer.cost(Candidate()).plus(self._scorer.cost(candidate))
        # A search that was cut off has used up its part, however far its last round came.
        left = plan.whole.without(plan.search) if tally.cut else plan.whole.less(tally.settled)
        covered = left.times_covered(pair.calls * SPARE, pair.tokens * SPARE, pair.dollars * SPARE)
        most = plan.certified_rows
        return most if math.isinf(covered) else min(most, max(0, math.floor(covered)))

    def _result(
        self,
        programs: tuple[Module, Sequence[FrontPoint]],
        candidate: Candidate,
        certificate: Certificate,
        asked: tuple[Metered, Metered],
        pairs: Pairs,
    ) -> Compiled:
        order = self._order
        evidence = Evidence(
            optimizer=type(self._searcher).__name__,
            knobs=knobs_of(self._searcher),
            seed=order.seed,
            metric=metric_name(order.metric),
            metric_digest=metric_digest(order.metric),
            data={
                part: (len(examples), data_digest(examples))
                for part, examples in (
                    ("train", order.parts.train),
                    ("validation", order.parts.validation),
                    ("holdout", order.parts.holdout),
                )
            },
            candidate=candidate.digest,
            certificate=certificate,
            searched=asked[0],
            certified=asked[1],
            rows=scored_rows(pairs),
        )
        before, after = order.program, candidate.apply(order.program)
        report = CompileReport(
            evidence=evidence,
            candidate=candidate,
            notes=tuple(self._teller.notes),
            decisions=self._journal.decisions,
            paid=self._teller.paid(),
            asked=self._journal.meter.read(),
            sessions=self._journal.earlier.sessions + 1,
            diverged_at=self._journal.diverged_at,
            prompts=(prompts_of(before), prompts_of(after)),
            foreseen=self._foreseen.to_json(),
            rows=tuple(compared_rows(before.input_names(), pairs)),
        )
        return Compiled(
            program=programs[0],
            candidate=candidate,
            certificate=certificate,
            report=report,
            front=tuple(programs[1]),
        )


async def finished(searcher: Searcher, run: Run) -> Candidate:
    """Search to the end, or to the end of the budget: then the best so far is taken."""
    try:
        return await searcher.search(run)
    except BudgetExceeded as error:
        run.tally.cut = run.tally.cut or not isinstance(error, ShareSpent)
        run.note(f"the search ended with its budget ({error}); the best so far is taken")
        return run.best
