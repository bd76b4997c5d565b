"""Our optimizers and DSPy's on the real model at equal paid calls, scored on rows none has seen.

Every optimizer has the same 240 labelled rows. Ours use them as demonstrations, for choosing and
for the certificate, whose calls are among the paid ones. The peers choose on the last two parts,
as they keep no holdout; their sizes are cut so that the calls suffice.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

import langprog as lp
from benchmarks.measured import Checkpoint
from benchmarks.peers import Cut, PeerSettings, answer_or_nothing, compile_peer
from benchmarks.real.peers import Metered, as_dspy, written_proposer
from benchmarks.real.programs import PLAIN, WRITTEN, load_task, metric_of, program_of
from benchmarks.real.server import SLOTS, connect
from benchmarks.tasks.intents import Task
from langprog.adapters import JSONAdapter
from langprog.lm import LanguageModel, MemoryCache, Request
from optimizers import BootstrapRandomSearch, Compiled, Compiler, Optimizer, Proposing

CALLS = 300
HOLDOUT, FRESH = 60, 150
BASE = "uncompiled"
# Tokens of a peer's longest proposal; ours has the same limit by default.
PROPOSAL_TOKENS = 400
# For one predictor, at an accuracy of a half: BootstrapRS scores 7 programs on 28 rows, after
# up to 100 runs for demonstrations; MIPROv2 one on 40 and 10 on 12, twice the best on 40, after
# about 30 runs for demonstrations and 20 calls for proposals.
CUTS = MappingProxyType(
    {
        "BootstrapRS": Cut(validation=28, sets=4),
        "MIPROv2 light": Cut(validation=40, minibatch=12),
    }
)
PROPOSING = ("Compiler", "MIPROv2 light")
OPTIMIZERS = ("Compiler", "BootstrapRandomSearch", "MIPROv2 light", "BootstrapRS")
OURS = OPTIMIZERS[:2]


@dataclass(frozen=True, slots=True)
class Job:
    """A compile, or the program as it was.

    Args:
        task: Name of the task.
        seed: Of the rows and of the compile.
        optimizer: One of ``OPTIMIZERS``, or ``BASE``.
        proposals: Who proposes instructions: the model (``own``), a person (``written``), or
            nobody (``none``).
    """

    task: str
    seed: int
    optimizer: str = BASE
    proposals: str = "none"

    @property
    def name(self) -> str:
        """Task, seed, optimizer and proposals."""
        more = f", {self.proposals} proposals" if self.proposals != "none" else ""
        return f"{self.task}, seed {self.seed}: {self.optimizer}{more}"


def list_jobs(tasks: Sequence[str], seeds: Sequence[int]) -> list[Job]:
    """List the compiles: a seed of all tasks before the next, so that whole blocks come first."""
    jobs = []
    for seed in seeds:
        for task in tasks:
            jobs.append(Job(task, seed))
            jobs += [
                Job(task, seed, name, "own" if name in PROPOSING else "none")
                for name in OPTIMIZERS
            ]
        jobs += [Job(task, seed, name, "written") for task in tasks for name in PROPOSING]
    return jobs


def run_jobs(kept: Checkpoint, folder: Path, base_url: str, jobs: Sequence[Job]) -> None:
    """Run every job that is not kept yet."""
    for job in jobs:
        base = kept.measure_once(
            base_of(job).name, partial(run_job, base_of(job), folder, base_url)
        )
        kept.measure_once(job.name, partial(run_job, job, folder, base_url, base["fresh"]))


def base_of(job: Job) -> Job:
    """Return the job that scores the input program on the same rows."""
    return Job(job.task, job.seed)


def run_job(job: Job, folder: Path, base_url: str, before: str = "") -> dict[str, Any]:
    """Compile, and score the result on fresh rows.

    Args:
        job: What to do.
        folder: The folder of the public data sets.
        base_url: The model's server.
        before: The input program's result on the fresh rows, for a compile that ships it.
    """
    task = load_task(job.task, folder, job.seed)
    started = time.perf_counter()
    if job.optimizer in OURS:
        outcome = _run_ours(job, task, base_url, before)
    elif job.optimizer == BASE:
        model = connect(base_url, cache=MemoryCache())
        outcome = {"fresh": _score(program_of(task), task, model)}
    else:
        outcome = _run_theirs(job, task, base_url)
    return {**outcome, "seconds": round(time.perf_counter() - started, 1)}


def fresh_rows(task: Task) -> Sequence[lp.Example]:
    """Return the rows that no optimizer sees."""
    return task.holdout[HOLDOUT : HOLDOUT + FRESH]


def _run_ours(job: Job, task: Task, base_url: str, before: str) -> dict[str, Any]:
    model = connect(base_url, cache=MemoryCache())
    program = program_of(task)
    with lp.using(lm=model):
        compiled = _make_optimizer(job).compile(
            program,
            task.train,
            valset=task.validation,
            holdout=task.holdout[:HOLDOUT],
            metric=metric_of(task),
            budget=lp.Budget(calls=CALLS),
            seed=job.seed,
        )
    candidate = compiled.candidate.apply(program)
    after = _score(candidate, task, model)
    return {
        "paid": compiled.report.paid.calls,
        "fresh": before if compiled.certificate.verdict == "original" else after,
        "candidate": after,
        **_describe(compiled, candidate),
    }


def _make_optimizer(job: Job) -> Optimizer:
    if job.optimizer == "BootstrapRandomSearch":
        return BootstrapRandomSearch(concurrency=SLOTS)
    if job.proposals == "own":
        return Compiler(concurrency=SLOTS)
    return Compiler(concurrency=SLOTS, proposing=Proposing(model=_written(job.task)))


def _written(task: str) -> lp.ScriptedLM:
    """Return a model that proposes what a person wrote, one instruction after another."""
    texts = proposals_of(task)
    asked = 0

    def propose(request: Request) -> str:
        nonlocal asked
        asked += 1
        return f"[[instruction]]\n{texts[(asked - 1) % len(texts)]}"

    return lp.ScriptedLM(propose, name="written/instructions")


def proposals_of(task: str) -> tuple[str, ...]:
    """Return the written instructions, without the one that the program has already."""
    return tuple(text for number, text in enumerate(WRITTEN[task]) if number != PLAIN)


def _describe(compiled: Compiled, candidate: lp.Module) -> dict[str, Any]:
    certificate = compiled.certificate
    (predictor,) = candidate.predictors().values()
    adapter = predictor.adapter
    return {
        "verdict": certificate.verdict,
        "finding": certificate.finding,
        "reason": certificate.reason,
        "difference": certificate.difference,
        "low": certificate.low,
        "p": certificate.p_value,
        "n": certificate.n,
        "label": compiled.candidate.label,
        "instruction": predictor.signature.instruction,
        "demos": len(predictor.demos),
        "adapter": adapter if adapter is None or isinstance(adapter, str) else adapter.name,
        "tokens": certificate.ratios["tokens"],
        "notes": [note.text for note in compiled.report.notes],
    }


def _score(program: lp.Module, task: Task, model: LanguageModel) -> str:
    """Return a 1 or a 0 for every fresh row."""
    with lp.using(lm=model):
        report = lp.evaluate(program, fresh_rows(task), metric_of(task), concurrency=SLOTS)
    return _as_hits([row.score is not None and row.score.value >= 1.0 for row in report.rows])


def _as_hits(right: Sequence[bool]) -> str:
    return "".join("1" if each else "0" for each in right)


def _run_theirs(job: Job, task: Task, base_url: str) -> dict[str, Any]:
    (label,) = task.signature.outputs

    def score(example: lp.Example, outputs: Mapping[str, Any]) -> float:
        return float(example[label] == outputs.get(label))

    metered = Metered(connect(base_url, cache=False), CALLS)
    cut = CUTS[job.optimizer]
    if job.proposals == "written":
        cut = replace(cut, proposer=written_proposer(proposals_of(job.task)))
    answer = compile_peer(
        job.optimizer,
        program_of(task),
        (task.train, (*task.validation, *task.holdout[:HOLDOUT])),
        score,
        as_dspy(metered, PROPOSAL_TOKENS),
        seed=job.seed,
        settings=PeerSettings(threads=SLOTS, form=JSONAdapter(), cut=cut),
    )
    paid, metered.most = metered.paid, None
    rows = fresh_rows(task)
    with ThreadPoolExecutor(SLOTS) as pool:
        outputs = list(pool.map(partial(answer_or_nothing, answer), rows))
    (predictor,) = answer.program.predictors()
    return {
        "paid": paid,
        "fresh": _as_hits(
            [score(row, given) >= 1.0 for row, given in zip(rows, outputs, strict=True)]
        ),
        "failed": answer.failed,
        "error": answer.error,
        "instruction": predictor.signature.instructions,
        "demos": len(predictor.demos),
    }
