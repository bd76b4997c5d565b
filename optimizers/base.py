"""The one contract of every optimizer: ``compile``, the same everywhere.

A member is a frozen dataclass whose fields are its knobs, and one method, ``search``. Everything
else (split, budget, journal, holdout, certificate) is done once, around it, and cannot be left
out.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import final

from langprog import Budget, Module
from langprog.errors import InputError
from langprog.evaluation import Metric
from langprog.lm import LanguageModel, ModelRef
from langprog.modules import Signal
from langprog.runtime import run_sync
from optimizers.budget.forecast import ForecastInputs, StageForecast
from optimizers.estimate import run_estimate
from optimizers.evaluation.candidate import Candidate
from optimizers.evaluation.pareto import OBJECTIVES, Objective
from optimizers.events import ProgressLike
from optimizers.identity import OPERATIONAL
from optimizers.pipeline import run_compile
from optimizers.preflight import Preflight
from optimizers.report.compiled import Compiled
from optimizers.report.progress import open_progress
from optimizers.request import CompileRequest, Examples
from optimizers.run import Run
from optimizers.stats.certificate import Accept


@dataclass(frozen=True, kw_only=True)
class Optimizer(ABC):
    """Base class of every member.

    Args:
        concurrency: Examples in work at the same time; changes how long a compile takes and
            nothing else.
        objective: ``quality``; or ``cost`` or ``latency``: the cheapest or quickest program whose
            quality is close to the best. The certificate then says that it is cheaper (quicker)
            and not worse by more than ``tolerance``.
        tolerance: Mean score that may be given up for ``cost`` or ``latency``.

    Raises:
        InputError: A knob is out of range.
    """

    concurrency: int = field(default=64, metadata={OPERATIONAL: True})
    objective: Objective = "quality"
    tolerance: float = 0.05

    def __post_init__(self) -> None:
        if self.objective not in OBJECTIVES:
            raise InputError(
                f"objective is one of {', '.join(OBJECTIVES)}, not {self.objective!r}"
            )
        if self.tolerance < 0:
            raise InputError(f"tolerance is 0 or more, not {self.tolerance}")

    @abstractmethod
    async def search(self, run: Run) -> Candidate:
        """Return the best candidate found.

        Results are to be taken in rounds, in order, so that nothing depends on which answer came
        first. Where the budget ends in the middle (BudgetExceeded), ``run.best`` is taken.
        """

    @abstractmethod
    def forecast(self, facts: ForecastInputs) -> tuple[StageForecast, ...]:
        """Return what a search is expected to take, stage by stage; nothing is asked for it."""

    @final
    def compile(  # noqa: PLR0913 - the one contract; its names are fixed
        self,
        program: Module,
        trainset: Examples,
        *,
        metric: Metric,
        valset: Examples | None = None,
        holdout: Examples | None = None,
        budget: Budget | None = None,
        run_dir: str | os.PathLike[str] | None = None,
        seed: int = 0,
        progress: ProgressLike | None = None,
        accept: Accept = "certified",
        max_errors: int = 10,
    ) -> Compiled:
        """Search for a better program, and prove that it is one.

        Args:
            program: What to compile; it is not written to.
            trainset: Examples with inputs and, as far as the metric needs them, outputs.
            metric: ``metric(example, prediction) -> float | bool | Score``.
            valset: Examples that steer the search; a part of the trainset if left out.
            holdout: Examples for the certificate alone; a part of the trainset if left out.
            budget: Hard caps on everything that is asked, retries included. Requests that were in
                flight when a compile was killed are not counted when it is resumed.
            run_dir: Folder of the journal; the same compile with the same folder resumes.
            seed: Every random decision derives from it.
            progress: What is told of every event: an object with a method ``on(event)``, or a
                function such as ``print``. By default the logger ``langprog`` (so that warnings
                reach standard error), and in a notebook a bar as well.
            accept: ``certified``: without a detectable gain the input program comes back;
                ``best``: the best candidate ships, marked uncertified where it is.
            max_errors: On how many examples the metric may raise; such rows have no score. One
                more, and the compile stops.

        Returns:
            The frozen program, its certificate, the report and the best candidate.

        Raises:
            InputError: Something handed over is wrong; the message says what.
            MetricError: The metric raised on too many examples, or gave a score outside its range.
            ProgramError: All first runs of the program failed for one reason.
            TransportError: No model could be reached.
            LMError: A model refuses to work at all (a wrong key, a bad request).
        """
        return run_sync(
            self.acompile(
                program,
                trainset,
                metric=metric,
                valset=valset,
                holdout=holdout,
                budget=budget,
                run_dir=run_dir,
                seed=seed,
                progress=progress,
                accept=accept,
                max_errors=max_errors,
            )
        )

    @final
    async def acompile(  # noqa: PLR0913 - the one contract; its names are fixed
        self,
        program: Module,
        trainset: Examples,
        *,
        metric: Metric,
        valset: Examples | None = None,
        holdout: Examples | None = None,
        budget: Budget | None = None,
        run_dir: str | os.PathLike[str] | None = None,
        seed: int = 0,
        progress: ProgressLike | None = None,
        accept: Accept = "certified",
        max_errors: int = 10,
    ) -> Compiled:
        """Compile; the asynchronous form of :meth:`compile`."""
        request = CompileRequest.of(
            program,
            trainset,
            metric,
            valset=valset,
            holdout=holdout,
            budget=budget,
            seed=seed,
            accept=accept,
            max_errors=max_errors,
        )
        return await run_compile(self, request, run_dir, open_progress(progress))

    @final
    def estimate(
        self,
        program: Module,
        trainset: Examples,
        *,
        metric: Metric,
        valset: Examples | None = None,
        holdout: Examples | None = None,
        budget: Budget | None = None,
        seed: int = 0,
    ) -> Preflight:
        """Say what :meth:`compile` would take, and what it could show.

        Runs the program on at most 12 validation examples, twice; arguments as for ``compile``.

        Raises:
            InputError: Something handed over is wrong; the message says what.
            MetricError: The metric raised on too many examples, or gave a score outside its range.
            ProgramError: All first runs of the program failed for one reason.
            TransportError: No model could be reached.
            LMError: A model refuses to work at all (a wrong key, a bad request).
        """
        request = CompileRequest.of(
            program,
            trainset,
            metric,
            valset=valset,
            holdout=holdout,
            budget=budget,
            seed=seed,
            accept="certified",
        )
        return run_sync(run_estimate(self, request))

    def check(self, program: Module) -> None:
        """Refuse a program that has nothing for this search to set; called before anything else.

        Raises:
            InputError: It has not; the message says what to do.
        """
        return

    def signals(self, program: Module) -> dict[str, Signal]:
        """Return how sure each cascade of the program is asked to be, by its path."""
        modules = program.named_modules().items()
        asked = {path: module.escalation_signal() for path, module in modules}
        return {path: signal for path, signal in asked.items() if signal is not None}

    def models_needed(self) -> tuple[LanguageModel | ModelRef | str, ...]:
        """Return models that the search names beside those of the program."""
        return ()

    def models_offered(self) -> tuple[LanguageModel | ModelRef | str, ...]:
        """Return those of them that the search may put into the program."""
        return ()
