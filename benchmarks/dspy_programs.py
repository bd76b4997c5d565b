"""Our Compiler and DSPy's optimizers on one DSPy program, with DSPy's prompts, at equal calls.

Usage: python -m benchmarks.dspy_programs [--seeds 3] [--first 200] [--size medium] [--cap 600]
           [--tasks 7] [--keep FOLDER] [--busy]

Needs the extra "bench". Everybody compiles the same ``dspy.Module``, whose prompts DSPy's own
ChatAdapter writes, with the same model and rows; what comes out is a ``dspy.Module`` again, and is
scored by DSPy alone. DSPy's optimizers have sizes at which they take about as many calls as ours
may. Paid calls are requests that reach the endpoint, counted there; all caches start empty. Each
finished compile is kept in FOLDER, so that a stopped run can be resumed.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing as mp
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import langprog as lp
from benchmarks.measured import machine, publish, table, versions, with_interval
from benchmarks.optimizers import THREADS, Place, endpoint
from benchmarks.peers import (
    Answering,
    Cut,
    PeerSettings,
    answer_or_nothing,
    compile_peer,
    make_module,
)
from benchmarks.tasks.generated import HOLDOUT, TASKS, TRAIN, VALIDATION, Task, make_task
from langprog.lm import MemoryCache
from optimizers import Compiler

OURS, BASE = "langprog Compiler", "uncompiled"
PEERS = ("BootstrapRS", "MIPROv2 light", "GEPA light", "SIMBA")
# Sizes at which each of them takes about six hundred calls.
SIZES = Cut(validation=60, sets=4, steps=2)
MOST_TOKENS = 400


@dataclass(frozen=True, slots=True)
class Job:
    """One compile, or the input program."""

    task: str
    seed: int
    optimizer: str
    cap: int

    @property
    def file(self) -> str:
        """File name of its outcome."""
        return f"{self.task}-{self.optimizer}-{self.cap}-{self.seed}.json".replace(" ", "_")


def list_jobs(options: argparse.Namespace) -> Iterator[Job]:
    """Yield every compile, seed by seed."""
    for seed in range(options.first, options.first + options.seeds):
        for task in list(TASKS)[: options.tasks]:
            for name in (BASE, OURS, *(f"DSPy {peer}" for peer in PEERS)):
                yield Job(task, seed, name, options.cap)


def run_job(job: Job, place: Place) -> dict[str, Any]:
    """Run a compile in its own process, so that no cache outlives it."""
    context = mp.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_send_outcome, args=(job, place, there), daemon=True)
    process.start()
    there.close()
    try:
        outcome: dict[str, Any] = here.recv()
    except EOFError:
        raise RuntimeError(f"{job.optimizer} on {job.task} ended without a result") from None
    process.join()
    return outcome


def _send_outcome(job: Job, place: Place, answer: Any) -> None:
    with tempfile.TemporaryDirectory() as folder:
        os.environ["DSPY_CACHEDIR"] = folder
        os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
        import dspy  # noqa: PLC0415 - after its cache has an empty folder

        task = make_task(job.task, job.seed)
        model = dspy.LM(
            f"openai/pocket/{place.size}",
            api_base=place.url,
            api_key="none",
            max_tokens=MOST_TOKENS,
        )
        started, before = time.perf_counter(), place.count.value
        outcome: dict[str, Any] = {}
        program = make_module(dspy, task.program)
        if job.optimizer == BASE:
            inputs = task.program.input_names()
            compiled = Answering(model, None, program, inputs)
        elif job.optimizer == OURS:
            compiled, outcome = _compile_ours(job, task, place, program, model)
        else:
            compiled = compile_peer(
                job.optimizer.removeprefix("DSPy "),
                task.program,
                (task.data[:TRAIN], task.data[TRAIN:]),
                task.score,
                model,
                seed=job.seed,
                settings=PeerSettings(THREADS, cut=SIZES),
            )
        outcome["calls"] = place.count.value - before
        outcome["seconds"] = time.perf_counter() - started
        outcome["after"] = _score(task, compiled)
        outcome["failed"] = compiled.failed
        answer.send({"task": job.task, "name": job.optimizer, "seed": job.seed, **outcome})


def _compile_ours(
    job: Job, task: Task, place: Place, program: Any, model: Any
) -> tuple[Answering, dict[str, Any]]:
    """Compile with ours; return DSPy's program and the certificate's verdict."""
    lm = lp.LM(
        f"pocket/{place.size}",
        base_url=place.url,
        api_key="none",
        cache=MemoryCache(),
        width=THREADS,
        max_tokens=MOST_TOKENS,
    )
    wrapped = lp.from_dspy(program, inputs=task.program.input_names())
    with lp.using(lm=lm):
        result = Compiler(concurrency=THREADS).compile(
            wrapped,
            task.data[:TRAIN],
            valset=task.data[TRAIN : TRAIN + VALIDATION],
            holdout=task.data[TRAIN + VALIDATION :],
            metric=task.metric,
            budget=lp.Budget(calls=job.cap),
            seed=job.seed,
        )
    exported = lp.to_dspy(result, lm=model)
    return Answering(model, None, exported, wrapped.input_names()), {
        "verdict": result.certificate.verdict
    }


def _score(task: Task, compiled: Answering) -> float:
    with ThreadPoolExecutor(THREADS) as pool:
        outputs = list(pool.map(partial(answer_or_nothing, compiled), task.test))
    return statistics.fmean(
        task.score(example, values) for example, values in zip(task.test, outputs, strict=True)
    )


def format_table(outcomes: Sequence[Mapping[str, Any]]) -> str:
    """Return the table of all tasks together."""
    scores = {(o["name"], o["task"], o["seed"]): o["after"] for o in outcomes}
    rows: list[tuple[str, ...]] = [
        ("optimizer", "paid calls", "accuracy", f"lead of {OURS}", "worse", "seconds")
    ]
    for name in dict.fromkeys(outcome["name"] for outcome in outcomes):
        some = [outcome for outcome in outcomes if outcome["name"] == name]
        places = [(outcome["task"], outcome["seed"]) for outcome in some]
        lead = [scores[OURS, *place] - scores[name, *place] for place in places]
        # "Worse" means by more than two standard errors of a test set of 300.
        worse = sum(scores[name, *place] < scores[BASE, *place] - 0.055 for place in places)
        calls = statistics.fmean(outcome["calls"] for outcome in some)
        rows.append(
            (
                name,
                "" if name == BASE else f"{calls:,.0f}",
                with_interval([outcome["after"] for outcome in some]),
                "" if name == OURS else with_interval(lead, "+.3f"),
                "" if name == BASE else f"{worse} of {len(some)}",
                f"{statistics.fmean(outcome['seconds'] for outcome in some):.0f}",
            )
        )
    return table(rows)


def main(arguments: list[str]) -> None:
    """Run every missing compile, and publish."""
    parser = argparse.ArgumentParser(description=__doc__, prog="benchmarks.dspy_programs")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first", type=int, default=200)
    parser.add_argument("--size", default="medium")
    parser.add_argument("--cap", type=int, default=600)
    parser.add_argument("--tasks", type=int, default=len(TASKS), help="how many of the tasks")
    parser.add_argument("--keep", type=Path, default=Path("dspy-programs-runs"))
    parser.add_argument("--busy", action="store_true", help="say that the machine did more")
    options = parser.parse_args(arguments)
    options.keep.mkdir(parents=True, exist_ok=True)
    outcomes = []
    with endpoint(options.size) as (url, count):
        place = Place(url, count, options.size, our_form=False)
        for job in list_jobs(options):
            path = options.keep / job.file
            if not path.exists():
                path.write_text(json.dumps(run_job(job, place)), encoding="utf-8")
            outcomes.append(json.loads(path.read_text(encoding="utf-8")))
            score = outcomes[-1]["after"]
            sys.stderr.write(f"{job.seed} {job.task}: {job.optimizer}: {score:.3f}\n")
    publish("dspy_programs", _describe(options, outcomes))


def _describe(options: argparse.Namespace, outcomes: Sequence[Mapping[str, Any]]) -> str:
    compiles = [outcome for outcome in outcomes if outcome["name"] == OURS]
    certified = sum(outcome["verdict"] == "certified" for outcome in compiles)
    busy = "\n\nSeconds: the machine had other work at the same time." if options.busy else ""
    return (
        "# Our Compiler and DSPy's optimizers on one DSPy program\n\n"
        f"`python -m benchmarks.dspy_programs --seeds {options.seeds} --first {options.first} "
        f"--size {options.size} --cap {options.cap} --tasks {options.tasks}`; {machine()}; "
        f"{versions('langprog', 'dspy', 'gepa', 'optuna')}; pocket/{options.size} behind one "
        f"endpoint, generated tasks: {options.tasks}, seeds: {options.seeds}, 300 test examples "
        "each, 95 % bootstrap intervals over tasks and seeds; a lead is that on the same tasks "
        "and seeds. All compile the same dspy.Module under DSPy's ChatAdapter, with the same 400 "
        f"examples; ours keeps {HOLDOUT} of them for the certificate, whose calls are among the "
        "paid ones, and ships the program as it was where no gain is certified. DSPy's "
        f"optimizers have these sizes: {SIZES.validation} rows for choosing, "
        f"{SIZES.sets} random sets (BootstrapRS), {SIZES.steps} steps of 16 rows and 3 "
        "candidates (SIMBA), and the sizes of light (MIPROv2, GEPA). The embedded model was "
        "trained to write instructions when it is asked as our proposer asks, and never saw the "
        f"prompts in which DSPy's proposers and GEPA ask.{busy}\n\n"
        f"{format_table(outcomes)}\n\n"
        f"Certified: {certified} of {len(compiles)}.\n"
    )


if __name__ == "__main__":
    main(sys.argv[1:])
