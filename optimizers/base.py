"""The contract of every optimizer: ``compile`` is the same everywhere.

An optimizer is a frozen dataclass whose fields are its knobs, with one method, ``search``.
Everything else (split, budget, journal, holdout, certificate) is shared and cannot be skipped.
"""

from __future__ import annotations

import difflib
import inspect
import os
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, Self, final

from langprog import Budget, Module
from langprog.engines import Engine, engine_named
from langprog.errors import InputError
from langprog.evaluation import Metric
from langprog.hints import with_hints
from langprog.knobs import check_knobs, takes_number, takes_one_of, takes_whole
from langprog.lm import LanguageModel, ModelRef
from langprog.modules import Out, Signal
from langprog.observe import CompileStarted
from langprog.runtime import observe_call, run_sync
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
from optimizers.report.run_folder import keep_report
from optimizers.request import (
    ELSEWHERE,
    CompileRequest,
    Examples,
    check_arguments,
    check_run_dir,
)
from optimizers.run import Run
from optimizers.stats.certificate import Accept


@dataclass(frozen=True, kw_only=True)
class Optimizer(ABC):
    """Base class of all optimizers.

    Args:
        concurrency: Examples processed at the same time; affects only how long a compile takes.
        objective: ``quality``, or ``cost`` or ``latency`` for the cheapest or fastest program
            whose quality is close to the best. The certificate then shows that it is cheaper
            (faster) and not worse by more than ``tolerance``.
        tolerance: Loss in mean score that is accepted for ``cost`` or ``latency``.

    Raises:
        InputError: A knob is unknown or out of range.
    """

    # Whether a program without predictors is refused.
    needs_predictors: ClassVar[bool] = True

    concurrency: int = field(default=64, metadata={OPERATIONAL: True, **takes_whole(1, 100_000)})
    objective: Objective = field(default="quality", metadata=takes_one_of(OBJECTIVES))
    tolerance: float = field(default=0.05, metadata=takes_number(0))

    def __new__(cls, *values: Any, **knobs: Any) -> Self:
        """Refuse unknown knobs with a more helpful message than Python's own."""
        refuse_unknown(cls, values, knobs)
        return super().__new__(cls)

    def __post_init__(self) -> None:
        check_knobs(self)

    @abstractmethod
    async def search(self, run: Run) -> Candidate:
        """Return the best candidate of the search.

        Use results in rounds and in a fixed order, so that nothing depends on which answer came
        first. If the budget ends in the middle (BudgetExceeded), ``run.best`` is used.
        """

    @abstractmethod
    def forecast(self, facts: ForecastInputs) -> tuple[StageForecast, ...]:
        """Forecast the requests of a search, stage by stage, without calling a model."""

    @final
    @with_hints(ELSEWHERE)
    def compile(  # noqa: PLR0913 - the one contract; its names are fixed
        self,
        program: Module[Out],
        trainset: Examples,
        *,
        metric: Metric[Out],
        valset: Examples | None = None,
        holdout: Examples | None = None,
        budget: Budget | None = None,
        run_dir: str | os.PathLike[str] | None = None,
        seed: int = 0,
        progress: ProgressLike | None = None,
        accept: Accept = "certified",
        max_errors: int = 10,
        must_pass: Examples | None = None,
        repeats: int = 1,
        canaries: int = 0,
        engine: Engine | str = "local",
    ) -> Compiled[Out]:
        """Search for a better program, and test whether it is better.

        Args:
            program: The program to compile; it is not changed.
            trainset: Examples with inputs and with the outputs that the metric needs.
            metric: ``metric(example, prediction) -> float | bool | Score``.
            valset: Examples that guide the search; by default a part of the trainset.
            holdout: Examples used only for the certificate; by default a part of the trainset.
            budget: Hard caps on all calls together, including retries. Requests that were in
                flight when a compile was killed are not counted when it is resumed.
            run_dir: Folder of the journal; the same compile with the same folder resumes.
            seed: All random decisions derive from it.
            progress: Receives every event: an object with a method ``on(event)``, or a function
                such as ``print``. The default is the logger ``langprog`` (warnings reach
                standard error), plus a progress bar in a notebook.
            accept: ``certified``: without a detectable gain, the input program is returned;
                ``best``: the best candidate ships, marked as uncertified if it is.
            max_errors: On how many examples the metric may raise before the compile stops;
                these rows have no score.
            must_pass: Examples on which the compiled program needs full marks to be certified,
                in each of the ``repeats``; the search does not use them.
            repeats: Runs of each holdout example, with different sampling seeds: the certificate
                then also says how often all of them pass.
            canaries: How many holdout rows are asked four times more in the end, past every cache,
                so that the artifact keeps replies for :func:`langprog.verify`.
            engine: Where programs and metric run: ``local``, ``ray`` or an ``lp.RayEngine``.

        Returns:
            The frozen program, its certificate, the report and the best candidate.

        Raises:
            InputError: An argument is wrong; the message says which and why.
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
                must_pass=must_pass,
                repeats=repeats,
                canaries=canaries,
                engine=engine,
            )
        )

    @final
    async def acompile(  # noqa: PLR0913 - the one contract; its names are fixed
        self,
        program: Module[Out],
        trainset: Examples,
        *,
        metric: Metric[Out],
        valset: Examples | None = None,
        holdout: Examples | None = None,
        budget: Budget | None = None,
        run_dir: str | os.PathLike[str] | None = None,
        seed: int = 0,
        progress: ProgressLike | None = None,
        accept: Accept = "certified",
        max_errors: int = 10,
        must_pass: Examples | None = None,
        repeats: int = 1,
        canaries: int = 0,
        engine: Engine | str = "local",
    ) -> Compiled[Out]:
        """Compile; the asynchronous form of :meth:`compile`."""
        check_arguments(trainset, valset, holdout, budget, seed)
        check_run_dir(run_dir)
        placed = engine_named(engine)
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
            must_pass=must_pass,
            repeats=repeats,
            canaries=canaries,
            needs_predictors=self.needs_predictors,
        )
        with observe_call(
            "compile",
            lambda call, parent, _: CompileStarted(
                call, parent, type(self).__name__, type(program).__name__
            ),
        ) as finish:
            compiled = await run_compile(self, request, run_dir, open_progress(progress), placed)
            if run_dir is not None:
                keep_report(compiled.report, Path(run_dir))
            finish(compiled)
        return compiled

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
        """Estimate what :meth:`compile` would cost, and what gains it could detect.

        Runs the program on at most 12 validation examples, twice; arguments as for ``compile``.

        Raises:
            InputError: An argument is wrong; the message says which and why.
            MetricError: The metric raised on too many examples, or gave a score outside its range.
            ProgramError: All first runs of the program failed for one reason.
            TransportError: No model could be reached.
            LMError: A model refuses to work at all (a wrong key, a bad request).
        """
        check_arguments(trainset, valset, holdout, budget, seed)
        request = CompileRequest.of(
            program,
            trainset,
            metric,
            valset=valset,
            holdout=holdout,
            budget=budget,
            seed=seed,
            accept="certified",
            needs_predictors=self.needs_predictors,
        )
        return run_sync(run_estimate(self, request))

    def prunes(self) -> bool:
        """Return whether changes that do not pay for themselves are put back after the search."""
        return False

    def check(self, program: Module) -> None:
        """Refuse a program in which this search cannot set anything; called first.

        Raises:
            InputError: There is nothing to set; the message says what to do.
        """
        return

    def signals(self, program: Module) -> dict[str, Signal]:
        """Return the signal that each cascade of the program uses, by its path."""
        modules = program.named_modules().items()
        signals = {path: module.escalation_signal() for path, module in modules}
        return {path: signal for path, signal in signals.items() if signal is not None}

    def models_needed(self) -> tuple[LanguageModel | ModelRef | str, ...]:
        """Return the models that the search needs in addition to the program's own."""
        return ()

    def models_offered(self) -> tuple[LanguageModel | ModelRef | str, ...]:
        """Return the models that the search may assign in the program."""
        return ()


# --- arguments ----------------------------------------------------------------------------------

# Arguments of ``compile`` that other frameworks take in the constructor.
_FOR_COMPILE = ("metric", "trainset", "valset", "holdout", "budget", "seed", "run_dir", "progress")
# Knobs of other frameworks and our names for them; a dot leads into a group of knobs.
_OUR_NAMES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "num_threads": ("concurrency",),
        "max_workers": ("concurrency",),
        "max_bootstrapped_demos": ("bootstrapped", "most", "demonstrating.most"),
        "max_labeled_demos": ("labeled", "k", "most", "demonstrating.most"),
        "metric_threshold": ("threshold", "demonstrating.threshold"),
        "num_candidate_programs": ("sets", "demonstrating.sets"),
        "num_candidates": ("instructions", "sets"),
        "num_instruct_candidates": ("instructions",),
        "num_fewshot_candidates": ("sets", "demonstrating.sets"),
        "num_trials": ("searching.trials",),
        "minibatch_size": ("minibatch", "searching.first_block"),
        "reflection_minibatch_size": ("minibatch",),
        "prompt_model": ("proposing.model",),
        "reflection_lm": ("proposing.model",),
        "init_temperature": ("proposing.temperature",),
        "teacher_settings": ("teacher",),
        "use_merge": ("merge",),
    }
)
_ELSEWHERE: Mapping[str, str] = MappingProxyType(
    {
        "auto": "pass a cap to compile(..., budget=lp.Budget(calls=...))",
        "student": "it is the first argument of compile(program, trainset, ...)",
        "program": "it is the first argument of compile(program, trainset, ...)",
        "lm": "compile inside `with lp.using(lm=...):`",
        "task_model": "compile inside `with lp.using(lm=...):`",
        "log_dir": "pass a folder to compile(..., run_dir=...)",
        "max_metric_calls": "pass a cap to compile(..., budget=lp.Budget(calls=...))",
        "max_full_evals": "pass a cap to compile(..., budget=lp.Budget(calls=...))",
    }
)


def refuse_unknown(kind: type, values: tuple[Any, ...], knobs: Mapping[str, Any]) -> None:
    """Refuse arguments that the class does not take, and say where they belong instead.

    Args:
        kind: A dataclass of knobs.
        values: Positional arguments.
        knobs: Keyword arguments.

    Raises:
        InputError: There is such an argument.
    """
    _, *parameters = inspect.signature(
        inspect.getattr_static(kind, "__init__")
    ).parameters.values()
    kinds = {parameter.kind for parameter in parameters}
    if inspect.Parameter.VAR_KEYWORD in kinds:
        return
    known = {parameter.name for parameter in parameters}
    for name in knobs:
        if name not in known:
            raise InputError(f"{kind.__name__} has no knob {name!r}: {_advise(kind, name)}")
    if values and kinds == {inspect.Parameter.KEYWORD_ONLY}:
        raise InputError(
            f"{kind.__name__} takes its knobs by name, as in {kind.__name__}(concurrency=16); "
            "the metric is passed to compile(program, trainset, metric=...)"
        )


def _advise(kind: type, name: str) -> str:
    if name in _FOR_COMPILE:
        return f"pass it to compile(program, trainset, ..., {name}=...)"
    if name in _ELSEWHERE:
        return _ELSEWHERE[name]
    groups = {knob.name: knob.default for knob in fields(kind) if knob.default is not MISSING}
    for ours in _OUR_NAMES.get(name, ()):
        outer, _, inner = ours.partition(".")
        if outer in groups:
            group = type(groups[outer]).__name__
            return f"use {outer}={group}({inner}=...)" if inner else f"use {outer}=..."
    names = [knob.name for knob in fields(kind)]
    close = difflib.get_close_matches(name, names, 1)
    return f"did you mean {close[0]}=...?" if close else f"it has {', '.join(sorted(names))}"
