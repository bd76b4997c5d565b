"""The tests of a port: their calls, their journal, and what they found."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from langprog import Budget, Example, Module, using
from langprog.errors import BudgetExceeded
from langprog.evaluation import MetricErrors, Row, metric_name, salted_digest
from langprog.lm import Cost, Ledger
from langprog.modules import add_compile, list_compiles
from langprog.runtime import assume_schemas
from optimizers.budget.plan import REPAIR_MARGIN, subtract_spent
from optimizers.estimate import list_roles
from optimizers.evaluation.binding import bind_program
from optimizers.evaluation.recording import ModelRecorder
from optimizers.evaluation.scorer import Estimate
from optimizers.evaluation.scoring import FailureLog, Scoring
from optimizers.events import Progress, Reporter
from optimizers.identity import data_digest, metric_digest, program_digest
from optimizers.journal import EarlierCalls, Journal
from optimizers.models.dialects import Dialects, list_models
from optimizers.models.roles import ModelRoles
from optimizers.porting.decision import SECOND, Decision, count_fewest, decide
from optimizers.porting.moving import pair_models
from optimizers.porting.planning import CompilePlan
from optimizers.porting.ported import Ported, PortedRow
from optimizers.porting.request import PortRequest
from optimizers.porting.running import NothingToCompare, Pair, run_alone, run_pair
from optimizers.porting.sides import Side, describe_refusals
from optimizers.report.compiled import Compiled
from optimizers.split import CompileRows, Inputs
from optimizers.stats.attempts import Attempt
from optimizers.stats.certificate import Certificate, Verdict

# Calls that may show what an endpoint accepts.
PROBES = 2
# How much longer the prompts of a compiled program are expected to be at most.
GROWTH = 2.0

Scores = Sequence[float | None]


class Comparison:
    """Runs the tests of a port.

    Args:
        request: The arguments of the port.
        journal: Keeps the calls.
        view: Receives events.
        earlier: The calls of the artifact's own compile.
    """

    def __init__(
        self,
        request: PortRequest,
        journal: Journal,
        view: Progress,
        earlier: EarlierCalls | None,
    ) -> None:
        self._request = request
        self._journal = journal
        self.ledger = Ledger(
            subtract_spent(request.budget, journal.earlier.paid, journal.earlier.seconds)
        )
        self.reporter = Reporter(view, request.budget, self.ledger, journal)
        self._recorder = ModelRecorder(journal, self.ledger, earlier)
        self._errors = MetricErrors(request.knobs.max_errors)
        self._schemas: dict[tuple[str, str], bool] = {}
        self._before: dict[str, float | None] = {}
        self._started = Cost()

    # --- the first test -------------------------------------------------------------------------

    async def test(self) -> Ported:
        """Compare the program as it is on both models."""
        request = self._request
        self._announce()
        with self._calls() as dialects:
            self._check_prices()
            ported = Ported(
                "cannot tell",
                "",
                bind_program(request.new),
                request.knobs.tolerance,
                replaced=pair_models(request.old, request.new),
                evidence=self._evidence(),
                accept=request.knobs.accept,
            )
            try:
                pair = await self._run_pair(dialects)
            except NothingToCompare as error:
                ported = replace(ported, reason=f"{error}.")
            except BudgetExceeded as error:
                reason = f"The budget ended before every row was compared: {error}."
                ported = replace(ported, reason=reason)
            else:
                ported = self._judge(ported, pair)
            return replace(ported, refused=self._describe_refusals(), **self._spent())

    async def _run_pair(self, dialects: Dialects) -> Pair:
        request, compared = self._request, self._request.compared
        await dialects.negotiate(request.new, compared.examples, {})
        self._schemas = dialects.schemas
        steps = len(compared.examples) + compared.live
        advance = self.reporter.start_stage(
            "certify", steps, f"{len(compared.examples)} rows on the new model"
        )
        with assume_schemas(self._schemas):
            return await run_pair(
                request.new,
                request.old,
                compared,
                self._scoring,
                request.knobs.concurrency,
                advance,
            )

    def _judge(self, ported: Ported, pair: Pair) -> Ported:
        request, compared = self._request, self._request.compared
        for example, score in zip(compared.examples, pair.before, strict=True):
            self._before.setdefault(example.digest, score)
        test = decide(
            pair.before,
            pair.after,
            compared.clusters,
            request.range,
            tolerance=request.knobs.tolerance,
            level=request.level,
        )
        old = Side.of(ported.replaced, pair.before, list(pair.old.values()), request.range)
        if not pair.old:
            old = replace(old, cost=request.recorded.cost)
        new = Side.of(ported.replaced.values(), pair.after, pair.new, request.range)
        with assume_schemas(self._schemas):  # ships with the adapters that were tested
            program = bind_program(request.new)
        ported = replace(
            ported,
            program=program,
            outcome=test.outcome,
            reason=_explain(test, "As it is, the program"),
            test=test,
            old=old,
            new=new,
        )
        return self._record_rows(ported, compared.examples, pair.before, pair.after)

    # --- the second test ------------------------------------------------------------------------

    def budget_left(self, tested: Ported) -> Budget:
        """Return what a compile may spend; the same for a killed and resumed port."""
        request = self._request
        self._started = self.ledger.paid
        used = self._journal.meter.read() + Cost(calls=PROBES * len(list_models(request.new, ())))
        if not request.compared.live and tested.new is not None and tested.new.cost is not None:
            # The result has to answer the compared rows; its prompts may be longer.
            rows, each = len(request.compared.examples), tested.new.cost
            calls = math.ceil(rows * request.new.calls_per_example() * REPAIR_MARGIN)
            used += Cost(calls, GROWTH * rows * each.tokens, GROWTH * rows * each.dollars)
        return subtract_spent(request.budget, used, self.ledger.seconds)

    def note_compile(self, compiled: Compiled) -> Cost:
        """Return what earlier sessions paid for a compile of which this one is the last."""
        session = self.ledger.paid - self._started
        paid = compiled.report.paid
        return Cost(
            max(0, paid.calls - session.calls),
            max(0, paid.tokens - session.tokens),
            max(0.0, paid.dollars - session.dollars),
            unpriced=paid.unpriced,
        )

    async def retest(self, ported: Ported, compiled: Compiled, plan: CompilePlan) -> Ported:
        """Compare the compiled program with the old model, on rows that no search saw."""
        request = self._request
        earlier = self.note_compile(compiled)
        try:
            examples, before, after, side = (
                self._read_certificate(compiled, plan)
                if request.compared.live
                else await self._run_compiled(compiled)
            )
        except (NothingToCompare, BudgetExceeded) as error:
            return replace(ported, reason=f"{ported.reason} Of the compiled program: {error}.")
        inputs = plan.request.inputs
        test = decide(
            before,
            after,
            [inputs.similar_key(example) for example in examples],
            request.range,
            tolerance=request.knobs.tolerance,
            level=SECOND,
        )
        ported = replace(
            ported,
            outcome="mended" if test.holds else test.outcome,
            reason=f"{ported.reason} {_explain(test, 'Compiled there, it')}",
            program=compiled.program,
            final=replace(side, models=tuple(dict.fromkeys(ported.replaced.values()))),
            final_test=test,
            **self._spent(earlier, compiled.report.requested),
        )
        return self._record_rows(ported, examples, before, after)

    def _record_rows(
        self, ported: Ported, examples: Sequence[Example], before: Scores, after: Scores
    ) -> Ported:
        """Add the rows of a test, and an entry about them to the lineage of the program."""
        test = ported.final_test or ported.test
        assert test is not None
        used = CompileRows(self._request.new, (), (), examples)
        keys = map(Inputs(self._request.new).key, examples)
        claim = f"port {ported.tolerance:g} {metric_digest(self._request.metric)}"
        attempt = Attempt.on(keys, program_digest(ported.program), claim)
        verdict: Verdict = "certified" if ported.shown else "uncertified"
        record = used.record("port", attempt, Certificate(verdict, "", level=test.level))
        program = add_compile(ported.program.with_parameters({}), record)
        return replace(
            ported, program=program, rows=_list_rows(used.salt, examples, before, after)
        )

    def _read_certificate(
        self, compiled: Compiled, plan: CompilePlan
    ) -> tuple[Sequence[Example], Scores, Scores, Side]:
        """Return the rows of the compile's holdout: both models have answered them already."""
        certificate = compiled.certificate
        scores = {digest: after for digest, _, after in compiled.report.evidence.rows}
        salt = list_compiles(compiled.program)[0]["salt"]
        count = len(compiled.report.evidence.rows) + certificate.missing
        if certificate.after is None or not scores:
            raise NothingToCompare(certificate.reason)
        # A budget may pay for the beginning of the holdout alone.
        examples = plan.request.parts.holdout[:count]
        after = [scores.get(salted_digest(salt, example.digest)) for example in examples]
        before = [self._before.get(example.digest) for example in examples]
        known = [score for score in after if score is not None]
        side = Side((), Estimate.of(known, self._request.range), certificate.cost_after)
        return examples, before, after, side

    async def _run_compiled(
        self, compiled: Compiled
    ) -> tuple[Sequence[Example], Scores, Scores, Side]:
        """Run the compiled program on the rows that the artifact has scores of."""
        request, compared = self._request, self._request.compared
        with self._calls(), assume_schemas(self._schemas):
            rows = await run_alone(
                compiled.program, compared, self._scoring(), request.knobs.concurrency
            )
        after = [_score_of(row) for row in rows]
        side = Side.of((), after, rows, request.range)
        return compared.examples, compared.recorded, after, side

    # --- shared ---------------------------------------------------------------------------------

    def _announce(self) -> None:
        """Say, before anything is paid, what is compared and what it takes."""
        request, compared, knobs = self._request, self._request.compared, self._request.knobs
        for note in request.notes:
            self.reporter.note(note)
        earlier = self._journal.earlier
        if earlier.sessions:
            self.reporter.note(f"resuming: {earlier.paid.calls} paid calls are in the journal")
        recorded = len(compared.examples) - compared.live
        sources = [f"{recorded} from the artifact"] if recorded else []
        sources += [f"{compared.live} from the old model"] if compared.live else []
        fewest = count_fewest(knobs.tolerance, request.range, request.level)
        self.reporter.note(
            f"{len(compared.examples)} rows with {compared.distinct} different inputs are "
            f"compared ({fewest} are the fewest that can show that no more than "
            f"{knobs.tolerance:g} is lost); scores on the old model: {', '.join(sources)}; about "
            f"{request.calls} calls"
        )
        if request.compile is None:
            self.reporter.note(f"no compile if that is not shown: {request.no_compile}")
        else:
            few = count_fewest(knobs.tolerance, request.range, SECOND)
            self.reporter.note(
                "if that is not shown, the program is compiled on the new model, with what is "
                f"left of the budget, and compared on at least {few} different inputs that the "
                "search does not see"
            )

    @contextmanager
    def _calls(self) -> Iterator[Dialects]:
        """Send the calls inside through journal and ledger."""
        request = self._request
        programs: list[Module] = [request.new, *([request.old] if request.compared.live else [])]
        with using(budget=self.ledger, wrap=self._recorder, notice=self.reporter.warn_once):
            models = [model for program in programs for model in list_models(program, ())]
            with Dialects(models, self._journal, self.reporter) as dialects:
                yield dialects

    def _check_prices(self) -> None:
        """Refuse a budget in dollars for models without a price.

        Raises:
            ModelError: There is one.
        """
        request, optimizer = self._request, self._request.knobs.optimizer
        programs = [request.new, *([request.old] if request.compared.live else [])]
        for program in programs:
            ModelRoles.of(program, (), (), request.metric).check_prices(request.budget)
        if request.compile is not None and optimizer is not None:
            list_roles(optimizer, request.compile.request).check_prices(request.budget)

    def _scoring(self) -> Scoring:
        return Scoring(self._request.metric, self._errors, FailureLog())

    def _describe_refusals(self) -> tuple[str, ...]:
        data = self._request.artifact.data.models
        return describe_refusals(self._request.new, list(data.values()), self._schemas)

    def _spent(self, compiled: Cost = Cost(), requested: Cost = Cost()) -> dict[str, Any]:
        return {
            "paid": self.reporter.paid() + compiled,
            "requested": self._journal.meter.read() + requested,
            "notes": tuple(self.reporter.messages),
        }

    def _evidence(self) -> dict[str, Any]:
        request = self._request
        examples = request.compared.examples
        knobs = {"tolerance": request.knobs.tolerance, "old": request.knobs.old}
        return {
            "optimizer": {"name": "port", "knobs": knobs, "seed": request.knobs.seed},
            "metric": {
                "name": metric_name(request.metric),
                "digest": metric_digest(request.metric),
            },
            "data": {"compared": {"examples": len(examples), "digest": data_digest(examples)}},
        }


def _explain(test: Decision, what: str) -> str:
    tolerance, claims = test.tolerance, test.claims
    if test.holds and claims.low > 0:
        return (
            f"{what} loses nothing on the new model (at least {claims.low:+.3f}, "
            f"{100 * (1 - test.level):.0f} % confidence)."
        )
    if test.holds:
        return (
            f"{what} loses no more than {tolerance:g} on the new model (at most {test.loss:.3f}, "
            f"{100 * (1 - test.level):.0f} % confidence)."
        )
    if claims.finding == "worse":
        return (
            f"{what} is worse on the new model ({claims.difference:+.3f}, at best "
            f"{claims.high:+.3f})."
        )
    return (
        f"{what} could not be shown to lose no more than {tolerance:g} on the new model (it may "
        f"lose {test.loss:.3f})."
    )


def _list_rows(
    salt: str, examples: Sequence[Example], before: Scores, after: Scores
) -> list[PortedRow]:
    return [
        (salted_digest(salt, example.digest), b, a)
        for example, b, a in zip(examples, before, after, strict=True)
        if b is not None and a is not None
    ]


def _score_of(row: Row) -> float | None:
    return None if row.score is None else row.score.value
