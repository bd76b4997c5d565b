"""Compile an artifact again, from where it is: on new data, or for a model that has changed.

The search begins with the artifact's instructions and demonstrations, and what it finds has to be
better than these. Rows that a compile in the artifact's lineage chose by stay out of the holdout;
another look at an earlier holdout is another attempt. Models are asked anew, past their caches, as
replies from before would hide that a model has changed.
"""

from __future__ import annotations

import os

from langprog import Budget, Module, using
from langprog.engines import Engine
from langprog.evaluation import Metric
from langprog.lm import LanguageModel, without_cache
from langprog.runtime import run_sync
from optimizers.base import Optimizer
from optimizers.compiler import Compiler
from optimizers.evaluation.recording import Replay
from optimizers.events import ProgressLike
from optimizers.journal import EarlierCalls
from optimizers.porting.warm_start import program_of, read_start
from optimizers.report.compiled import Compiled
from optimizers.request import Examples
from optimizers.stats.certificate import Accept


def recompile(  # noqa: PLR0913 - those of compile, whose names are fixed
    artifact: str | os.PathLike[str],
    trainset: Examples,
    *,
    metric: Metric,
    program: Module | None = None,
    optimizer: Optimizer = Compiler(),
    journal: str | os.PathLike[str] | None = None,
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
) -> Compiled:
    """Compile an artifact's program again, starting from what it has.

    Example::

        compiled = optimizers.recompile("a.json", new_rows, metric=metric)
        compiled.save("b.json")

    The certificate compares the result with the artifact's program as it is, whose place it takes
    only if it is better; the lineage of what is saved names the artifact. A row that an earlier
    compile chose by proves nothing, so give new rows, or the old ones with their holdout: that may
    be looked at again, at a lower level.

    Args:
        artifact: The artifact's path.
        trainset: Examples, new ones or those of the first compile.
        metric: ``metric(example, prediction) -> float | bool | Score``.
        program: The artifact's program, as :func:`langprog.load` returned it, if it needs classes
            or tools, or if its models are called at another address.
        optimizer: What searches.
        journal: The ``run_dir`` of an earlier compile: requests that it made are not paid again,
            but answered as then. Leave it out if a model may have changed since.
        valset: As for ``compile``, and so are the arguments below.
        holdout: Examples used only for the certificate; by default a part of the trainset.
        budget: Hard caps on all calls together.
        run_dir: Folder of the journal; the same recompile with the same folder resumes.
        seed: All random decisions derive from it.
        progress: Receives every event.
        accept: ``certified``: without a detectable gain, the artifact's program is returned;
            ``best``: the best candidate ships, marked as uncertified if it is.
        max_errors: On how many examples the metric may raise.
        must_pass: Examples on which the compiled program needs full marks to be certified.
        repeats: Runs of each holdout example.
        canaries: Rows whose replies the new artifact keeps for ``langprog verify``.
        engine: As for ``compile``.

    Returns:
        The frozen program, its certificate, the report and the best candidate.

    Raises:
        InputError: An argument is wrong, or ``program`` is not the artifact's.
        ArtifactError: The artifact cannot be read, or its program needs more.
        LangprogError: As for ``compile``.
    """
    return run_sync(
        arecompile(
            artifact,
            trainset,
            metric=metric,
            program=program,
            optimizer=optimizer,
            journal=journal,
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


async def arecompile(  # noqa: PLR0913 - those of compile, whose names are fixed
    artifact: str | os.PathLike[str],
    trainset: Examples,
    *,
    metric: Metric,
    program: Module | None = None,
    optimizer: Optimizer = Compiler(),
    journal: str | os.PathLike[str] | None = None,
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
) -> Compiled:
    """Compile an artifact's program again; the asynchronous form of :func:`recompile`."""
    start = program_of(read_start(artifact, "recompile"), program)
    # What the earlier compile has paid for is not paid again.
    replay = None if journal is None else Replay(EarlierCalls(journal))
    with using(wrap=_AskAnew()), using(wrap=replay):
        return await optimizer.acompile(
            start,
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


class _AskAnew:
    """Takes the caches off models; returns the same object for a model each time."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[LanguageModel, LanguageModel]] = {}

    def __call__(self, model: LanguageModel) -> LanguageModel:
        known = self._known.get(id(model))
        if known is None:
            known = self._known[id(model)] = (model, without_cache(model))
        return known[1]
