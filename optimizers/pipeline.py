"""What surrounds every search: checks, split, journal, budget, and a single use of the holdout.

The holdout stays in this module: a search gets a :class:`Run`, which cannot reach it.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace

from langprog import Module, using
from langprog.engines import Engine
from langprog.errors import BudgetExceeded, InputError
from langprog.evaluation import Evaluator, FailureKind, Metric, MetricErrors, metric_name
from langprog.lm import Cost, Ledger
from langprog.modules import add_compile
from langprog.runtime import assume_schemas
from optimizers.budget.plan import BudgetShare, subtract_spent
from optimizers.demos.own_demos import describe_lost_demos
from optimizers.estimate import list_roles, make_preflight, resolve_models
from optimizers.evaluation.binding import bind_program
from optimizers.evaluation.canaries import record_replies
from optimizers.evaluation.candidate import Candidate, own_texts
from optimizers.evaluation.other_forms import try_other_forms
from optimizers.evaluation.pareto import FrontPoint, choose, collect_points, pareto_front
from optimizers.evaluation.recording import ModelRecorder
from optimizers.evaluation.scorer import Scorer
from optimizers.evaluation.scoring import FailureLog, Scoring
from optimizers.evaluation.shared_state import SharedStateCheck
from optimizers.events import Estimated, Finished, Progress, Reporter, StageStarted
from optimizers.identity import data_digest, describe_knobs, metric_digest, program_digest
from optimizers.journal import Journal
from optimizers.models.dialects import Dialects, Question, list_models
from optimizers.preflight import estimate_cost_from_prompts
from optimizers.pruning.prune import prune
from optimizers.report.compiled import Compiled
from optimizers.report.report import (
    CompileReport,
    collect_prompts,
    digest_rows,
    list_compared_rows,
)
from optimizers.request import CompileRequest
from optimizers.run import Run, Searcher, SearchInputs, ShareSpent, Tally
from optimizers.split import CompileRows
from optimizers.stats.affordable import count_affordable_rows, measure_costs
from optimizers.stats.attempts import Attempts
from optimizers.stats.certificate import Certificate, Pairs, without_evidence
from optimizers.stats.certify import Holdout, certify
from optimizers.stats.evidence import Evidence
from optimizers.stats.terms import Terms
from optimizers.stats.trying import HoldoutAttempt, HoldoutAttempts


async def run_compile(
    searcher: Searcher,
    request: CompileRequest,
    run_dir: str | os.PathLike[str] | None,
    progress: Progress,
    engine: Engine,
) -> Compiled:
    """Search, certify, and return the result."""
    searcher.check(request.program)
    request.check_objective(searcher.objective, searcher.tolerance)
    with (
        resolve_models(searcher, request.program),
        closing(Journal(run_dir, request.identity(searcher))) as journal,
    ):
        async with engine:
            with engine.sharing(request.program, request.metric):
                pass  # what cannot be sent is refused before anything is paid
            compilation = _Compilation(searcher, request, journal, progress, engine)
            return await compilation.run(Attempts(run_dir))


class _Compilation:
    def __init__(
        self,
        searcher: Searcher,
        request: CompileRequest,
        journal: Journal,
        progress: Progress,
        engine: Engine,
    ) -> None:
        self._searcher = searcher
        self._request = request
        self._journal = journal
        earlier = journal.earlier
        self._plan = request.plan()
        self._ledger = Ledger(subtract_spent(request.budget, earlier.paid, earlier.seconds))
        self._reporter = Reporter(progress, request.budget, self._ledger, journal)
        self._shared_state = SharedStateCheck(request.program, self._reporter.warn_once)
        self._roles = list_roles(searcher, request)
        parts = request.parts
        self._used = CompileRows(request.program, parts.train, parts.validation)
        self._attempt: HoldoutAttempt | None = None
        self._recorder = ModelRecorder(journal, self._ledger)
        self._terms = Terms(
            searcher.objective,
            searcher.tolerance,
            request.accept,
            repeats=request.repeats,
            seed=request.seed,
        )
        self._scoring = Scoring(
            _remember_scores(request.metric, journal),
            MetricErrors(request.max_errors, request.name_row),
            FailureLog(self._try_other_forms),
            engine,
        )
        self._scorer = Scorer(
            request.program,
            request.parts.validation,
            self._scoring,
            searcher.concurrency,
            priced=searcher.objective == "cost",
        )

    async def run(self, attempts: Attempts) -> Compiled:
        request, searcher = self._request, self._searcher
        self._attempts = HoldoutAttempts(
            attempts,
            request.inputs,
            searcher.objective,
            metric_digest(request.metric),
            self._reporter.note,
            request.repeats,
        )
        with (
            using(budget=self._ledger, wrap=self._recorder, notice=self._reporter.warn_once),
            Dialects(
                list_models(request.program, searcher.models_needed()),
                self._journal,
                self._reporter,
            ) as dialects,
        ):
            self._roles.check_prices(request.budget)
            self._prepare()
            question = Question.of(request.program, request.parts.train, logprobs=False)
            await self._roles.check_keys(question)
            await dialects.negotiate(
                request.program, request.parts.train, searcher.signals(request.program)
            )
            with assume_schemas(dialects.schemas):
                return await self._search_and_certify()

    async def _search_and_certify(self) -> Compiled:
        candidate, tally = await self._search()
        lost = describe_lost_demos(self._request.program, candidate)
        if lost is not None:
            self._reporter.note(lost)
        begun = self._journal.meter.read()
        certificate, pairs = await self._certify(candidate, tally)
        certified = self._journal.meter.read() - begun
        ships = certificate.verdict != "original"
        program, name = self._request.program, type(self._searcher).__name__
        tried = self._attempt
        record = self._used.record(
            name, tried.attempt if tried else None, certificate, tried.results if tried else ()
        )
        shipped = add_compile(bind_program(candidate.apply(program) if ships else program), record)
        front = [
            replace(
                point, program=add_compile(bind_program(point.program), record), optimizer=name
            )
            for point in pareto_front(self._points)
        ]
        canaries = await record_replies(
            shipped, self._request, self._recorder, self._searcher.concurrency, self._reporter
        )
        self._shared_state.report_changes()
        failed = self._scoring.failures.describe()
        if failed:
            self._reporter.note(failed)
        self._reporter.update_spend()
        self._reporter.emit(Finished(certificate.verdict, str(certificate)))
        requested = tally.settled, certified
        compiled = self._result((shipped, front), candidate, certificate, requested, pairs)
        return replace(compiled, canaries=canaries)

    def _prepare(self) -> None:
        parts, earlier = self._request.parts, self._journal.earlier
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
        if self._journal.damaged:
            self._reporter.note(
                f"{self._journal.damaged} damaged lines of the journal were skipped; their "
                "requests are sent again",
                warning=True,
            )
        for note in parts.notes:
            self._reporter.note(note, warning=True)
        self._shared_state.report_hidden_modules()
        frozen = self._request.program.frozen_parts()
        if frozen:
            self._reporter.note(f"frozen and left unchanged: {', '.join(frozen)}")
        self._estimate()
        rows = parts.holdout[: self._plan.certified_rows]
        clusters = set(map(self._request.inputs.similar_key, rows))
        terms = replace(self._terms, attempt=self._attempts.expect(rows))
        few = terms.explain_too_few(len(clusters), self._scoring.range)
        if few is not None:
            self._reporter.note(few, warning=True)
        elif self._plan.certified_rows < len(parts.holdout):
            self._reporter.note(
                f"the budget keeps enough for {self._plan.certified_rows} of "
                f"{len(parts.holdout)} holdout examples"
            )

    async def _try_other_forms(self, problem: str, kind: FailureKind) -> None:
        parts = self._request.parts
        advice = await try_other_forms(
            self._request.program, parts.train, parts.validation, self._scoring, problem, kind
        )
        self._reporter.warn_once(advice)

    def _estimate(self) -> None:
        """Report the expected cost.

        Raises:
            InputError: The budget is too small to try anything; nothing was requested yet.
        """
        request = self._request
        cost, priced = estimate_cost_from_prompts(request.program, request.parts.validation)
        preflight = make_preflight(self._searcher, request, cost, priced=priced)
        if preflight.refusal is not None:
            raise InputError(preflight.refusal)
        self._preflight = preflight
        spans = preflight.calls, preflight.dollars, preflight.candidates
        calls, dollars, candidates = ((s.low, s.high) if s is not None else None for s in spans)
        assert calls is not None and candidates is not None
        lines = tuple(preflight.lines())
        self._reporter.emit(Estimated(calls, dollars, candidates, preflight.detectable, lines))

    async def _search(self) -> tuple[Candidate, Tally]:
        request, searcher, plan = self._request, self._searcher, self._plan
        earlier = self._journal.earlier
        run = Run(
            SearchInputs(
                request.program,
                request.parts.train,
                request.parts.validation,
                self._scoring,
                request.seed,
                searcher.concurrency,
            ),
            journal=self._journal,
            scorer=self._scorer,
            reporter=self._reporter,
            share=BudgetShare(plan.search, self._reserve),
            start=Candidate(),
        )
        cap = Ledger(subtract_spent(plan.search_budget, earlier.paid, earlier.seconds))
        with using(budget=cap):
            best = await run_search(searcher, run)
            candidate = best
            if not run.weighed:
                points = collect_points(self._scorer, request.program)
                candidate = choose(searcher.objective, best, points, searcher.tolerance)
            if candidate != best:
                chosen = {"objective": searcher.objective, "digest": candidate.digest}
                run.log("chosen", chosen)
            await measure_costs(run, request.budget, candidate)
            tally = run.tally
            # How far a search got that was cut off depends on the order of answers.
            if searcher.prunes() and not tally.cut:
                limit = plan.limit_pruning(run.requested())
                last = run.continue_from(candidate, BudgetShare(limit, self._reserve), "pruning")
                candidate, tally = await prune(last, searcher.objective), last.tally
        self._points = collect_points(self._scorer, request.program)
        return candidate, tally

    def _reserve(self) -> Cost:
        """Return what the certificate needs for the most expensive candidate so far."""
        scorer = self._scorer
        pair = scorer.cost(Candidate()) + scorer.highest_cost if scorer.candidates else None
        return self._plan.reserve(pair)

    async def _certify(self, candidate: Candidate, tally: Tally) -> tuple[Certificate, Pairs]:
        request = self._request
        plan = self._plan
        # A search that was cut off has used its whole part, however far its last round got.
        left = plan.whole - plan.search if tally.cut else plan.whole - tally.settled
        rows = count_affordable_rows(request, self._scorer, plan, candidate, left)
        holdout = request.parts.holdout[:rows]
        clusters = list(map(request.inputs.similar_key, holdout))
        compiled = candidate.apply(request.program)
        if program_digest(compiled) == program_digest(request.program):
            compiled = request.program
        # The unchanged program ships anyway, so testing it is not an attempt to show a gain.
        tried = None
        if compiled is not request.program:
            tried = self._attempts.begin(program_digest(compiled), holdout)
            self._attempt, self._used = tried, replace(self._used, holdout=holdout)
        terms = self._terms if tried is None else replace(self._terms, attempt=tried.number)
        steps = 2 * rows * terms.repeats
        advance = self._reporter.start_stage("certify", steps, f"both programs on {rows} rows")
        try:
            certificate, pairs = await certify(
                request.program,
                compiled,
                Holdout(holdout, clusters, request.must_pass, tried.settle if tried else None),
                self._scoring,
                terms,
                concurrency=self._searcher.concurrency,
                search=tally.settled,
                on_row=advance,
            )
        except BudgetExceeded as error:
            reason = f"the budget ended before the certificate: {error}"
            certificate, pairs = without_evidence(reason, request.accept, terms.attempt), ()
        self._journal.record_decision("certificate", certificate.to_json())
        return certificate, pairs

    def _result(
        self,
        programs: tuple[Module, Sequence[FrontPoint]],
        candidate: Candidate,
        certificate: Certificate,
        requested: tuple[Cost, Cost],
        pairs: Pairs,
    ) -> Compiled:
        request = self._request
        evidence = Evidence(
            optimizer=type(self._searcher).__name__,
            knobs=describe_knobs(self._searcher),
            seed=request.seed,
            metric=metric_name(request.metric),
            metric_digest=metric_digest(request.metric),
            data={
                part: (len(examples), data_digest(examples))
                for part, examples in (
                    ("train", request.parts.train),
                    ("validation", request.parts.validation),
                    ("holdout", request.parts.holdout),
                )
            },
            candidate=candidate.digest,
            certificate=certificate,
            searched=requested[0],
            certified=requested[1],
            rows=digest_rows(pairs, self._used.salt),
        )
        before, after = request.program, candidate.apply(request.program)
        report = CompileReport(
            evidence=evidence,
            candidate=candidate,
            notes=tuple(self._reporter.messages),
            decisions=self._journal.decisions,
            paid=self._reporter.paid(),
            requested=self._journal.meter.read(),
            sessions=self._journal.earlier.sessions + 1,
            diverged_at=self._journal.diverged_at,
            prompts=(
                collect_prompts(before, self._scorer.prompt_sizes(Candidate())),
                collect_prompts(after, self._scorer.prompt_sizes(candidate)),
            ),
            estimate=self._preflight.to_json(),
            rows=tuple(list_compared_rows(before.input_names(), pairs)),
            program=repr(before),
            failures=self._scoring.failures.counts,
            texts=(own_texts(before), own_texts(after)),
        )
        return Compiled(
            program=programs[0],
            candidate=candidate,
            certificate=certificate,
            report=report,
            front=tuple(programs[1]),
        )


async def run_search(searcher: Searcher, run: Run) -> Candidate:
    """Search to the end, or until the budget ends; then return the best so far."""
    try:
        return await searcher.search(run)
    except BudgetExceeded as error:
        run.tally.cut = run.tally.cut or not isinstance(error, ShareSpent)
        run.note(f"the search ended with its budget ({error}); using the best candidate so far")
        return run.best


def _remember_scores(metric: Metric, journal: Journal) -> Metric:
    """Return a metric that evaluates nothing twice, where an evaluation takes long."""
    return metric.with_memo(journal) if isinstance(metric, Evaluator) else metric
