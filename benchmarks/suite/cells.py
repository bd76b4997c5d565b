"""A cell of the grid: one program for one task, compiled by one optimizer for one model."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Any

import langprog as lp
from benchmarks.peers import Cut, PeerSettings, answer_or_nothing, compile_peer
from benchmarks.real.peers import Metered, as_dspy
from benchmarks.suite.tasks import FOR_PEERS, HOLDOUT, PROGRAMS, TASKS, TRAIN, VALIDATION
from benchmarks.tasks.generated import Task
from langprog.adapters import ChatAdapter
from langprog.lm import Cache, LanguageModel, MemoryCache
from optimizers import GEPA, MIPRO, BootstrapRandomSearch, Compiler, LabeledFewShot, Optimizer

# Makes a model of a name with a cache of its own, or with none.
Connect = Callable[[str, Cache | bool], LanguageModel]
BASE = "none"
PEER = "DSPy "
WIDTH = 8
# Tokens of a peer's longest reply; ours have the same limit for proposals.
REPLY_TOKENS = 400
OURS: Mapping[str, Callable[[], Optimizer]] = MappingProxyType(
    {
        "LabeledFewShot": partial(LabeledFewShot, concurrency=WIDTH),
        "BootstrapRandomSearch": partial(BootstrapRandomSearch, concurrency=WIDTH),
        "MIPRO": partial(MIPRO, concurrency=WIDTH),
        "GEPA": partial(GEPA, concurrency=WIDTH),
        "Compiler": partial(Compiler, concurrency=WIDTH),
    }
)
PEERS = ("BootstrapRS", "MIPROv2 light", "GEPA light", "SIMBA")
OPTIMIZERS = (BASE, *OURS, *(f"{PEER}{name}" for name in PEERS))


@dataclass(frozen=True, slots=True)
class Cell:
    """What is measured.

    Args:
        task: One of ``TASKS``.
        program: One of ``PROGRAMS``.
        optimizer: One of ``OPTIMIZERS``.
        model: The model's name.
        seed: Of the rows and of the compile.
        calls: Calls that a compile may pay for.
    """

    task: str
    program: str
    optimizer: str
    model: str
    seed: int
    calls: int

    @property
    def name(self) -> str:
        """All of it, as the key of a finished cell."""
        cap = "" if self.optimizer == BASE else f" | {self.calls} calls"
        return " | ".join(
            (self.task, self.program, self.optimizer, self.model, f"seed {self.seed}{cap}")
        )

    @property
    def baseline(self) -> Cell:
        """The same without an optimizer."""
        return Cell(self.task, self.program, BASE, self.model, self.seed, self.calls)


def list_cells(
    tasks: Sequence[str],
    programs: Sequence[str],
    optimizers: Sequence[str],
    models: Sequence[str],
    seeds: Sequence[int],
    calls: int,
) -> Iterator[Cell]:
    """Yield the cells that there can be, a whole seed before the next."""
    for seed in seeds:
        for model in models:
            for task in tasks:
                made = TASKS[task](seed)
                for program in programs:
                    if PROGRAMS[program](made) is None:
                        continue
                    for optimizer in optimizers:
                        if optimizer.startswith(PEER) and program not in FOR_PEERS:
                            continue
                        yield Cell(task, program, optimizer, model, seed, calls)


def run_cell(cell: Cell, connect: Connect) -> dict[str, Any]:
    """Compile and score; return what is kept of the cell, a score for each test row among it.

    Args:
        cell: What to do.
        connect: Makes the model; the caches of both sides start empty.
    """
    task, started = TASKS[cell.task](cell.seed), time.perf_counter()
    program = PROGRAMS[cell.program](task)
    if program is None:
        raise ValueError(f"{cell.name}: there is no such program for this task")
    run = _run_theirs if cell.optimizer.startswith(PEER) else _run_ours
    outcome = run(cell, task, program, connect)
    return {
        "task": cell.task,
        "program": cell.program,
        "optimizer": cell.optimizer,
        "model": cell.model,
        "seed": cell.seed,
        **outcome,
        "seconds": round(time.perf_counter() - started, 1),
    }


def _parts(task: Task) -> tuple[Sequence[lp.Example], Sequence[lp.Example], Sequence[lp.Example]]:
    """Return train, validation and holdout, smaller in proportion where there are fewer rows."""
    total = TRAIN + VALIDATION + HOLDOUT
    first = len(task.data) * TRAIN // total
    second = first + len(task.data) * VALIDATION // total
    return task.data[:first], task.data[first:second], task.data[second:]


def _run_ours(cell: Cell, task: Task, program: lp.Module, connect: Connect) -> dict[str, Any]:
    outcome: dict[str, Any] = {"compile_calls": 0, "compile_dollars": 0.0}
    with lp.using(lm=connect(cell.model, MemoryCache()), adapter="chat"):
        if cell.optimizer != BASE:
            train, validation, holdout = _parts(task)
            compiled = OURS[cell.optimizer]().compile(
                program,
                train,
                valset=validation,
                holdout=holdout,
                metric=task.metric,
                budget=lp.Budget(calls=cell.calls),
                seed=cell.seed,
            )
            program, paid = compiled.program, compiled.report.paid
            outcome = {
                "compile_calls": paid.calls,
                "compile_dollars": paid.dollars,
                "verdict": compiled.certificate.verdict,
                "finding": compiled.certificate.finding,
            }
        report = lp.evaluate(program, task.test, task.metric, concurrency=WIDTH)
    lost = [row for row in report.rows if row.score is None]
    if lost:
        raise RuntimeError(f"{cell.name}: {len(lost)} test rows have no score")
    scores = [row.score.value for row in report.rows if row.score is not None]
    return {
        **outcome,
        "scores": [round(score, 4) for score in scores],
        "run_calls": report.calls / len(scores),
        "run_dollars": None if report.dollars is None else report.dollars / len(scores),
    }


def _run_theirs(cell: Cell, task: Task, program: lp.Module, connect: Connect) -> dict[str, Any]:
    metered = Metered(connect(cell.model, False), cell.calls)
    train, validation, holdout = _parts(task)
    name = cell.optimizer.removeprefix(PEER)
    answer = compile_peer(
        name,
        program,
        (train, (*validation, *holdout)),
        task.score,
        as_dspy(metered, REPLY_TOKENS),
        seed=cell.seed,
        settings=PeerSettings(threads=WIDTH, form=ChatAdapter(), cut=cut_to(cell.calls)),
    )
    calls, dollars, metered.most = metered.paid, metered.dollars, None
    with ThreadPoolExecutor(WIDTH) as pool:
        outputs = list(pool.map(partial(answer_or_nothing, answer), task.test))
    rows = zip(task.test, outputs, strict=True)
    scores = [task.score(example, values) for example, values in rows]
    return {
        "compile_calls": calls,
        "compile_dollars": dollars,
        "failed": answer.failed,
        "scores": [round(score, 4) for score in scores],
        "run_calls": (metered.paid - calls) / len(scores),
        "run_dollars": (metered.dollars - dollars) / len(scores),
    }


def cut_to(calls: int) -> Cut:
    """Return sizes with which a peer's compile of one predictor takes about this many calls.

    As in ``benchmarks/real/compare.py``: BootstrapRS scores 7 programs on the validation rows
    after up to 100 runs for demonstrations, MIPROv2 scores 2 on all and 10 on minibatches, GEPA
    takes metric calls, and SIMBA takes about 110 runs a step with its rows and candidates cut.
    """
    return Cut(
        validation=max(10, (calls - 100) // 7),
        sets=4,
        minibatch=max(5, calls // 25),
        metric_calls=max(20, calls - 60),
        steps=max(1, calls // 110 - 1),
    )
