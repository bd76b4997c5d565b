"""Weak labels in compiles: a generated task on the embedded model, with voters that err by lot."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from functools import partial
from statistics import fmean
from types import MappingProxyType
from typing import Any

import langprog as lp
from benchmarks.labels import ignore
from benchmarks.measured import Checkpoint, format_percent, table
from benchmarks.tasks.generated import Task, make_task
from langprog.evaluation import exact
from langprog.lm import LanguageModel, MemoryCache
from optimizers import BootstrapRandomSearch, KNNDemos, Optimizer, label_weakly

TASK, MODEL = "labels, 4", "pocket/small"
FEW, VALIDATION, HOLDOUT, TEST, CALLS = 12, 40, 60, 100, 400
# By the name of a voter: on how many rows it votes, and how often it is then right.
VOTERS: Mapping[str, tuple[float, float]] = MappingProxyType(
    {"careful": (0.3, 0.95), "usual": (0.6, 0.75), "eager": (0.9, 0.55)}
)
MEMBERS: Mapping[str, Callable[[], Optimizer]] = MappingProxyType(
    {"BootstrapRandomSearch": BootstrapRandomSearch, "KNNDemos": KNNDemos}
)
BASE = "true labels alone"
TRAINED = (BASE, "weak labels alone", "true and weak labels", "as many rows, all with true labels")
Connect = Callable[[str], LanguageModel]


def connect_embedded(name: str) -> LanguageModel:
    """Return an embedded model with an empty cache."""
    return lp.LM(name, cache=MemoryCache())


def make_voters(task: Task, seed: int) -> dict[str, Callable[[lp.Example], str | None]]:
    """Return voters on the rows of a task, which err independently of each other."""
    (target,) = task.outputs
    labels = sorted({row[target] for row in task.data})

    def make(name: str, covers: float, right: float) -> Callable[[lp.Example], str | None]:
        def vote(row: lp.Example) -> str | None:
            rng = random.Random(f"{name}/{seed}/{sorted(row.without(target).items())}")
            if rng.random() >= covers:
                return None
            truth = known[row.without(target)]
            wrong = rng.choice([label for label in labels if label != truth])
            return truth if rng.random() < right else wrong

        return vote

    known = {row.without(target): str(row[target]) for row in task.data}
    return {name: make(name, *each) for name, each in VOTERS.items()}


def run_compile(member: str, trained: str, seed: int, connect: Connect) -> dict[str, Any]:
    """Compile on some labels, and return what came of it.

    Args:
        member: One of ``MEMBERS``.
        trained: One of ``TRAINED``.
        seed: Of the task, of the voters and of the compile.
        connect: Makes the model.
    """
    task = make_task(TASK, seed)
    (target,) = task.outputs
    start = FEW + VALIDATION + HOLDOUT
    few, validation = task.data[:FEW], task.data[FEW : FEW + VALIDATION]
    pool, rows = task.data[start:], list(task.data[:FEW])
    weak = label_weakly(
        task.program,
        [row.without(target) for row in pool],
        make_voters(task, seed),
        labelled=[*few, *validation],
        progress=ignore,
    )
    if trained == TRAINED[1]:
        rows = list(weak.rows)
    elif trained == TRAINED[2]:
        rows += weak.rows
    elif trained == TRAINED[3]:
        rows += pool[: len(weak.rows)]
    truth = {row.without(target): row[target] for row in pool}
    right = [row[target] == truth[_inputs(row, task)] for row in weak.rows]
    with lp.using(lm=connect(MODEL)):
        compiled = MEMBERS[member]().compile(
            task.program,
            rows,
            valset=validation,
            holdout=task.data[FEW + VALIDATION : start],
            metric=exact(target),
            accept="best",
            budget=lp.Budget(calls=CALLS),
            seed=seed,
            progress=ignore,
        )
        share = _measure(compiled.program, task)
    return {
        "test": share,
        "verdict": compiled.certificate.verdict,
        "n": compiled.certificate.n,
        "calls": compiled.report.paid.calls,
        "rows": len(rows),
        "weak": [fmean(right), len(right) / len(pool)],
    }


def run_uncompiled(seed: int, connect: Connect) -> float:
    """Return how often the uncompiled program is right on the test rows."""
    task = make_task(TASK, seed)
    with lp.using(lm=connect(MODEL)):
        return _measure(task.program, task)


def _measure(program: lp.Module, task: Task) -> float:
    report = lp.evaluate(program, task.test[:TEST], exact(*task.outputs))
    if report.mean is None:
        raise RuntimeError(f"no test row has a score: {report}")
    return report.mean


def _inputs(row: lp.Example, task: Task) -> lp.Example:
    return lp.Example(**{name: row[name] for name in task.program.input_names()})


def format_compiles(seeds: range, kept: Checkpoint, connect: Connect = connect_embedded) -> str:
    """Return the section."""
    rows: list[tuple[str, ...]] = [
        ("member", "trained on", "rows", "right on test, %", "gain, points", "certified", "calls")
    ]
    uncompiled = [
        kept.measure_once(f"uncompiled {seed}", partial(run_uncompiled, seed, connect))
        for seed in seeds
    ]
    runs: list[dict[str, Any]] = []
    for member in MEMBERS:
        base: list[float] = []
        for trained in TRAINED:
            runs = [
                kept.measure_once(
                    f"{member} {trained} {seed}",
                    partial(run_compile, member, trained, seed, connect),
                )
                for seed in seeds
            ]
            scores = [run["test"] for run in runs]
            base = base or scores
            gains = [a - b for a, b in zip(scores, base, strict=True)]
            certified = sum(run["verdict"] == "certified" for run in runs)
            rows.append(
                (
                    member,
                    trained,
                    f"{fmean(run['rows'] for run in runs):.0f}",
                    format_percent(scores),
                    "-" if trained == BASE else format_percent(gains),
                    f"{certified} of {len(runs)}",
                    f"{fmean(run['calls'] for run in runs):.0f}",
                )
            )
    right, covered = zip(*(run["weak"] for run in runs), strict=True)
    voters = ", ".join(
        f"{name}: on {covers:.0%} of the rows, {good:.0%} right"
        for name, (covers, good) in VOTERS.items()
    )
    return (
        f"### Compiles on the embedded model\n\n{MODEL}, the generated task {TASK!r}, "
        f"{len(seeds)} seeds, at most {CALLS} calls a compile. Three voters err by lot, "
        f"independently of each other, which is the best case ({voters}); {FEW + VALIDATION} true "
        f"labels tell how far to trust them. Weak labels, on {format_percent(covered)} % of the "
        f"pool, are right on {format_percent(right)} %. They are in the train part alone: "
        f"validation ({VALIDATION} rows), holdout ({HOLDOUT}) and test ({TEST}) have true labels, "
        f"and train has {FEW} true ones. What was found is measured whether it was certified or "
        f"not; uncompiled, the program is right on {format_percent(uncompiled)} %.\n\n"
        f"{table(rows)}"
    )
