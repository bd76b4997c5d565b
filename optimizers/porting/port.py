"""Carry an artifact to another model: a test first, and a compile only if it fails.

The program as it is runs on the new model, beside the scores that the artifact keeps or beside the
old model. If it is shown to lose no more than the tolerance, it is safe. Else it is compiled on
the new model, starting from its own instructions and demonstrations, and the result is compared
with the old model on rows that no search saw.

Follows: non-inferiority tests of a new treatment against the one in use, with the margin fixed
beforehand. Differs: the second test, of the compiled program, has a level of its own, so that both
together are wrong no more often than one test may be.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from langprog import Budget, Module, using
from langprog.errors import BudgetExceeded
from langprog.evaluation import Metric
from langprog.example import Rows, examples_of
from langprog.lm import check_budget
from langprog.runtime import run_sync
from optimizers.base import Optimizer
from optimizers.compiler import Compiler
from optimizers.estimate import make_preflight, resolve_models
from optimizers.evaluation.recording import Replay
from optimizers.events import Event, Finished, Progress, ProgressLike
from optimizers.journal import EarlierCalls, Journal
from optimizers.porting.comparison import Comparison
from optimizers.porting.knobs import OldScores, PortKnobs
from optimizers.porting.moving import To
from optimizers.porting.planning import CompilePlan
from optimizers.porting.ported import Ported
from optimizers.porting.request import PortRequest
from optimizers.porting.warm_start import read_start
from optimizers.preflight import estimate_cost_from_prompts
from optimizers.report.compiled import Compiled
from optimizers.report.progress import open_progress
from optimizers.stats.certificate import Accept


def port(  # noqa: PLR0913 - its options are given by name
    artifact: str | os.PathLike[str],
    to: To | Mapping[str, To],
    data: Rows,
    *,
    metric: Metric,
    tolerance: float = 0.05,
    old: OldScores = "auto",
    program: Module | None = None,
    optimizer: Optimizer | None = Compiler(),
    accept: Accept = "certified",
    journal: str | os.PathLike[str] | None = None,
    budget: Budget | None = None,
    run_dir: str | os.PathLike[str] | None = None,
    seed: int = 0,
    concurrency: int = 64,
    max_errors: int = 0,
    progress: ProgressLike | None = None,
) -> Ported:
    """Carry an artifact to another model.

    Example::

        ported = optimizers.port("old.json", "openai/gpt-6.1-sol", data, metric=metric)
        print(ported)
        ported.save("new.json")

    Args:
        artifact: The artifact's path.
        to: The new model, or new models by the names of the old ones.
        data: Examples with the outputs that the metric needs. Those of the artifact's own holdout
            need no answer of the old model; new ones are needed if it comes to a compile.
        metric: ``metric(example, prediction) -> float | bool | Score``; scores of the artifact
            count only if they are by the same metric.
        tolerance: Mean score that may be lost.
        old: Where the scores on the old model come from: ``auto`` (from the artifact where it has
            them, else from the model), ``recorded`` (only rows with such a score are compared) or
            ``live`` (the old model answers every row).
        program: The artifact's program, as :func:`langprog.load` returned it, if it needs classes
            or tools, or if its model is called at another address.
        optimizer: What compiles the program on the new model if it fails the test; ``None``: the
            test alone.
        accept: ``certified``: only a program that was shown to be as good can be saved; ``best``:
            the best one, marked.
        journal: The ``run_dir`` of the compile that made the artifact, if at hand: requests that
            it made are not paid again.
        budget: Hard caps on all calls together, those of the compile included.
        run_dir: Folder of the journal; the same port with the same folder resumes.
        seed: All random decisions derive from it.
        concurrency: Examples processed at the same time.
        max_errors: On how many examples the metric may raise.
        progress: Receives every event, as in ``compile``.

    Returns:
        What was shown, the program, cost and latency, and what the new endpoint refuses.

    Raises:
        InputError: An argument is wrong, or there are too few rows to show anything.
        ArtifactError: The artifact cannot be read, or its program needs more.
        ModelError: A model cannot be called, or has no price under a cap in dollars.
        AuthError: An endpoint does not accept the key.
    """
    return run_sync(
        aport(
            artifact,
            to,
            data,
            metric=metric,
            tolerance=tolerance,
            old=old,
            program=program,
            optimizer=optimizer,
            accept=accept,
            journal=journal,
            budget=budget,
            run_dir=run_dir,
            seed=seed,
            concurrency=concurrency,
            max_errors=max_errors,
            progress=progress,
        )
    )


async def aport(  # noqa: PLR0913 - its options are given by name
    artifact: str | os.PathLike[str],
    to: To | Mapping[str, To],
    data: Rows,
    *,
    metric: Metric,
    tolerance: float = 0.05,
    old: OldScores = "auto",
    program: Module | None = None,
    optimizer: Optimizer | None = Compiler(),
    accept: Accept = "certified",
    journal: str | os.PathLike[str] | None = None,
    budget: Budget | None = None,
    run_dir: str | os.PathLike[str] | None = None,
    seed: int = 0,
    concurrency: int = 64,
    max_errors: int = 0,
    progress: ProgressLike | None = None,
) -> Ported:
    """Carry an artifact to another model; the asynchronous form of :func:`port`."""
    knobs = PortKnobs(tolerance, old, optimizer, accept, concurrency, max_errors, seed)
    if budget is not None:
        check_budget(budget)
    request = PortRequest.of(
        read_start(artifact, "port"),
        program,
        to,
        examples_of(data),
        metric,
        knobs,
        Budget() if budget is None else budget,
    )
    earlier = None if journal is None else EarlierCalls(journal)
    view = open_progress(progress)
    folder = None if run_dir is None else Path(run_dir)
    with closing(Journal(folder and folder / "test", request.identity())) as test_journal:
        porting = _Porting(request, test_journal, view, earlier, folder and folder / "compile")
        return await porting.run()


class _Porting:
    """A port while it runs.

    Args:
        request: Its arguments.
        journal: Keeps the calls of the tests.
        view: Receives events.
        earlier: The calls of the artifact's own compile.
        run_dir: Folder of the compile that may follow.
    """

    def __init__(
        self,
        request: PortRequest,
        journal: Journal,
        view: Progress,
        earlier: EarlierCalls | None,
        run_dir: Path | None,
    ) -> None:
        self._request = request
        self._view = view
        self._journal = journal
        self._earlier = earlier
        self._run_dir = run_dir
        self._comparison = Comparison(request, journal, view, earlier)

    async def run(self) -> Ported:
        """Test, compile where that is needed, and report the end."""
        ported = await self._comparison.test()
        if ported.test is not None and not ported.shown:
            ported = await self._mend(ported)
        self._comparison.reporter.update_spend()
        self._comparison.reporter.emit(Finished(ported.outcome, str(ported)))
        return ported

    async def _mend(self, ported: Ported) -> Ported:
        """Compile the program on the new model, and compare the result with the old one."""
        request = self._request
        if request.compile is None:
            return replace(ported, reason=f"{ported.reason} No compile: {request.no_compile}.")
        optimizer = request.knobs.optimizer
        assert optimizer is not None
        plan = request.compile.with_budget(self._comparison.budget_left(ported))
        refusal = self._explain_refusal(optimizer, plan)
        if refusal is not None:
            return replace(ported, reason=f"{ported.reason} No compile: {refusal}.")
        self._comparison.reporter.note(f"{ported.reason} It is compiled on the new model.")
        try:
            compiled = await self._compile(optimizer, plan)
        except BudgetExceeded as error:
            return replace(ported, reason=f"{ported.reason} The compile ended early: {error}.")
        return await self._judge(ported, compiled, plan)

    def _explain_refusal(self, optimizer: Optimizer, plan: CompilePlan) -> str | None:
        request = plan.request
        with resolve_models(optimizer, request.program):
            cost, priced = estimate_cost_from_prompts(request.program, request.parts.validation)
            refusal = make_preflight(optimizer, request, cost, priced=priced).refusal
        rows = request.plan().certified_rows
        if refusal is None and self._request.compared.live and rows < plan.fewest:
            return (
                f"what is left of the budget pays for {rows} rows of its holdout, and "
                f"{plan.fewest} are the fewest that can show anything"
            )
        return refusal

    async def _compile(self, optimizer: Optimizer, plan: CompilePlan) -> Compiled:
        # What the test has paid for is not paid again.
        replay = Replay(self._journal, *([self._earlier] if self._earlier else []))
        with using(budget=self._comparison.ledger, wrap=replay):
            return await optimizer.acompile(
                plan.request.program,
                plan.trainset,
                metric=plan.request.metric,
                holdout=plan.holdout,
                budget=plan.request.budget,
                run_dir=self._run_dir,
                seed=plan.request.seed,
                progress=_without_end(self._view),
                accept=plan.request.accept,
                max_errors=plan.request.max_errors,
            )

    async def _judge(self, ported: Ported, compiled: Compiled, plan: CompilePlan) -> Ported:
        ported = replace(ported, compiled=compiled)
        if compiled.certificate.verdict == "original":
            return replace(
                ported,
                reason=f"{ported.reason} The compile found nothing better on the new model.",
            )
        return await self._comparison.retest(ported, compiled, plan)


def _without_end(view: Progress) -> ProgressLike:
    """Return a view that is not told that the compile is over, as the port goes on."""

    def on(event: Event) -> None:
        if not isinstance(event, Finished):
            view.on(event)

    return on
