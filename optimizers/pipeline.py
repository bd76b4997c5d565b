"""What surrounds every search: checks, split, journal, budget, and the holdout, used once.

The holdout lives here. A search gets a :class:`Run`, which has no way to it.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace

from langprog import Module, using
from langprog.errors import BudgetExceeded, InputError
from langprog.evaluation import metric_name
from langprog.lm import Cost, LanguageModel, Ledger, ModelRef, Recorded, keep_budgets, model_from
from langprog.runtime import deciding_schemas
from optimizers.budget.forecast import ForecastInputs
from optimizers.budget.plan import REPAIR_MARGIN, BudgetShare, plan_budget, subtract_spent
from optimizers.evaluation.binding import KnownModels, bind_program, check_models
from optimizers.evaluation.candidate import Candidate
from optimizers.evaluation.pareto import (
    FrontPoint,
    choose,
    collect_points,
    pareto_front,
)
from optimizers.evaluation.scorer import Scorer
from optimizers.evaluation.shared_state import SharedStateCheck
from optimizers.events import Estimated, Finished, Progress, Reporter, StageStarted
from optimizers.identity import data_digest, describe_knobs, metric_digest
from optimizers.journal import Journal
from optimizers.models.dialects import Dialects, list_models
from optimizers.preflight import (
    Preflight,
    Probe,
    count_alternatives,
    estimate_cost_from_prompts,
    forecast,
    grow_cost,
    probe_program,
)
from optimizers.report.compiled import Compiled
from optimizers.report.report import (
    CompileReport,
    collect_prompts,
    digest_rows,
    list_compared_rows,
)
from optimizers.request import CompileRequest
from optimizers.run import Run, Searcher, SearchInputs, ShareSpent, Tally
from optimizers.stats.certificate import (
    Aim,
    Certificate,
    Pairs,
    certify,
    explain_too_few,
    without_evidence,
)
from optimizers.stats.evidence import Evidence


async def compiled(
    searcher: Searcher,
    order: CompileRequest,
    run_dir: str | os.PathLike[str] | None,
    progress: Progress,
) -> Compiled:
    """Search, certify, and return the result."""
    searcher.check(order.program)
    with (
        _checked_models(searcher, order.program),
        closing(Journal(run_dir, order.identity(searcher))) as journal,
    ):
        return await _Compilation(searcher, order, journal, progress).run()


async def estimated(searcher: Searcher, order: CompileRequest) -> Preflight:
    """Run the program on a few validation examples, and say what a compile would take."""
    searcher.check(order.program)
    with _checked_models(searcher, order.program):
        probe = await probe_program(
            order.program, order.parts.validation, order.metric, order.seed, searcher.concurrency
        )
        _, priced = estimate_cost_from_prompts(order.program, ())
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
    order: CompileRequest,
    cost: Cost,
    *,
    priced: bool,
    probe: Probe | None = None,
) -> Preflight:
    parts, predictors = order.parts, len(order.program.predictors())
    divided = plan_budget(order.budget, len(parts.holdout), order.program.calls_per_example())
    searched = divided.search - divided.reserve(cost + grow_cost(cost))
    facts = ForecastInputs(
        predictors,
        len(parts.train),
        len(parts.validation),
        searched.count_of(cost),
        None if probe is None else probe.right,
        count_alternatives(order.program),
    )
    works = searcher.forecast(facts)
    return forecast(works, facts, divided, cost, priced=priced, probe=probe)


class _Compilation:
    def __init__(
        self, searcher: Searcher, order: CompileRequest, journal: Journal, progress: Progress
    ) -> None:
        self._searcher = searcher
        self._order = order
        self._journal = journal
        earlier = journal.earlier
        calls = order.program.calls_per_example()
        self._plan = plan_budget(order.budget, len(order.parts.holdout), calls)
        self._ledger = Ledger(subtract_spent(order.budget, earlier.paid, earlier.seconds))
        self._reporter = Reporter(progress, order.budget, self._ledger, journal)
        self._watched = SharedStateCheck(order.program, self._reporter.warn_once)
        self._asked = KnownModels()
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
            using(budget=self._ledger, wrap=self._recorded, notice=self._reporter.warn_once),
            Dialects(
                list_models(order.program, searcher.models_needed()), self._journal, self._reporter
            ) as dialects,
        ):
            self._prepare()
            await dialects.negotiate(
                order.program, order.parts.train, searcher.signals(order.program)
            )
            with deciding_schemas(dialects.schemas):
                return await self._search_and_certify()

    async def _search_and_certify(self) -> Compiled:
        candidate, tally = await self._searched()
        begun = self._journal.meter.read()
        certificate, pairs = await self._certified(candidate, tally)
        certified = self._journal.meter.read() - begun
        ships = certificate.verdict != "original"
        program = self._order.program
        shipped = bind_program(candidate.apply(program) if ships else program)
        name = type(self._searcher).__name__
        front = [
            replace(point, program=bind_program(point.program), optimizer=name)
            for point in pareto_front(self._points)
        ]
        self._watched.say_changed()
        self._reporter.update_spend()
        self._reporter.emit(Finished(certificate.verdict, str(certificate)))
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
        self._reporter.emit(
            StageStarted(
                "prepare",
                None,
                f"{len(parts.train)} examples for train, {len(parts.validation)} for validation, "
                f"{len(parts.holdout)} held out",
            )
        )
        if earlier.sessions:
            self._reporter.note(
                f"resuming: {earlier.paid.calls} paid calls of {earlier.sessions} earlier "
                f"session{'s' if earlier.sessions > 1 else ''} are in the journal"
            )
        if parts.moved:
            self._reporter.note(
                f"{parts.moved} examples were given twice and kept in one part", warning=True
            )
        self._watched.say_hidden()
        self._foresee()
        few = explain_too_few(self._plan.certified_rows)
        if few is not None:
            self._reporter.note(few, warning=True)
        elif self._plan.certified_rows < len(parts.holdout):
            self._reporter.note(
                f"the budget pays for {self._plan.certified_rows} of "
                f"{len(parts.holdout)} holdout examples"
            )

    def _foresee(self) -> None:
        """Say what is to be expected.

        Raises:
            InputError: The budget is too small to try anything; nothing was asked yet.
        """
        order = self._order
        cost, priced = estimate_cost_from_prompts(order.program, order.parts.validation)
        found = _preflight(self._searcher, order, cost, priced=priced)
        if found.refusal is not None:
            raise InputError(found.refusal)
        self._foreseen = found
        spans = found.calls, found.dollars, found.candidates
        calls, dollars, candidates = ((s.low, s.high) if s is not None else None for s in spans)
        assert calls is not None and candidates is not None
        lines = tuple(found.lines())
        self._reporter.emit(Estimated(calls, dollars, candidates, found.detectable, lines))

    async def _searched(self) -> tuple[Candidate, Tally]:
        order, earlier = self._order, self._journal.earlier
        run = Run(
            SearchInputs(
                order.program,
                order.parts.train,
                order.parts.validation,
                order.metric,
                order.seed,
                self._searcher.concurrency,
            ),
            journal=self._journal,
            scorer=self._scorer,
            reporter=self._reporter,
            share=BudgetShare(self._plan.search, self._kept),
            start=Candidate(),
        )
        cap = Ledger(subtract_spent(self._plan.search_budget, earlier.paid, earlier.seconds))
        with using(budget=cap):
            best = await finished(self._searcher, run)
        self._points = collect_points(self._scorer, order.program)
        searcher = self._searcher
        candidate = best
        if not run.weighed:
            candidate = choose(searcher.objective, best, self._points, searcher.tolerance)
        if candidate != best:
            run.log("chosen", {"objective": searcher.objective, "digest": candidate.digest})
        return candidate, run.tally

    def _kept(self) -> Cost:
        """Return what the certificate needs, by the dearest candidate so far."""
        scorer = self._scorer
        pair = scorer.cost(Candidate()) + scorer.highest_cost if scorer.candidates else None
        return self._plan.reserve(pair)

    async def _certified(self, candidate: Candidate, tally: Tally) -> tuple[Certificate, Pairs]:
        order = self._order
        rows = self._affordable_rows(candidate, tally)
        self._reporter.emit(
            StageStarted("certify", rows, f"both programs on {rows} held-out rows")
        )
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
                without_evidence(
                    f"the budget ended before the certificate: {error}", order.accept
                ),
                (),
            )
        self._journal.decide("certificate", certificate.to_json())
        return certificate, pairs

    def _affordable_rows(self, candidate: Candidate, tally: Tally) -> int:
        plan = self._plan
        pair = self._scorer.cost(Candidate()) + self._scorer.cost(candidate)
        # A search that was cut off has used up its part, however far its last round came.
        left = plan.whole - plan.search if tally.cut else plan.whole - tally.settled
        covered = left.count_of(pair * REPAIR_MARGIN)
        most = plan.certified_rows
        return most if math.isinf(covered) else min(most, max(0, math.floor(covered)))

    def _result(
        self,
        programs: tuple[Module, Sequence[FrontPoint]],
        candidate: Candidate,
        certificate: Certificate,
        asked: tuple[Cost, Cost],
        pairs: Pairs,
    ) -> Compiled:
        order = self._order
        evidence = Evidence(
            optimizer=type(self._searcher).__name__,
            knobs=describe_knobs(self._searcher),
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
            rows=digest_rows(pairs),
        )
        before, after = order.program, candidate.apply(order.program)
        report = CompileReport(
            evidence=evidence,
            candidate=candidate,
            notes=tuple(self._reporter.messages),
            decisions=self._journal.decisions,
            paid=self._reporter.paid(),
            asked=self._journal.meter.read(),
            sessions=self._journal.earlier.sessions + 1,
            diverged_at=self._journal.diverged_at,
            prompts=(collect_prompts(before), collect_prompts(after)),
            foreseen=self._foreseen.to_json(),
            rows=tuple(list_compared_rows(before.input_names(), pairs)),
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
