"""Our optimizers and DSPy's on the embedded model: accuracy by paid calls at one endpoint.

Usage: python -m benchmarks.optimizers [--seeds 5] [--first 100] [--size small] [--keep FOLDER]
           [--caps 600,1780] [--form ours] [--tasks 7] [--busy]

Needs the extra "bench". Paid calls are requests that reach the endpoint, counted there; the caches
of both sides start empty. Each finished compile is kept in FOLDER, so that a stopped run can be
resumed. The seeds were chosen after the code was frozen. With the form "ours",
DSPy's prompts use our format, which the embedded models read best; with "dspy", DSPy's own.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing as mp
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from typing import Any

import langprog as lp
from benchmarks.curves import draw_curves, format_shares
from benchmarks.measured import machine, publish, table, versions, with_interval
from benchmarks.peers import PEERS, PeerSettings, answer_or_nothing, compile_peer
from benchmarks.tasks.generated import HOLDOUT, TASKS, TRAIN, VALIDATION, Task, make_task
from langprog.adapters import ChatAdapter
from langprog.lm import Completion, LanguageModel, MemoryCache, Request, Server, Wrapper
from optimizers import GEPA, MIPRO, Compiler, Optimizer

OURS: Mapping[str, type[Optimizer]] = {"Compiler": Compiler, "MIPRO": MIPRO, "GEPA": GEPA}
BASE = "uncompiled"
THREADS = 16
# Attempts at a peer's compile: one that ended in an error is restarted. Often its proposer sent a
# prompt longer than this small model reads, which is not the optimizer's fault.
TRIES = 3


class Counting(Wrapper):
    """Counts the requests that reach the endpoint, for every process to read."""

    def __init__(self, inner: LanguageModel, count: Synchronized[int]) -> None:
        super().__init__(inner)
        self._count = count

    async def complete(self, request: Request) -> Completion:
        """Answer, and count."""
        with self._count.get_lock():
            self._count.value += 1
        return await self.inner.complete(request)


def _serve(size: str, count: Synchronized[int], port: Any) -> None:
    async def run() -> None:
        model = Counting(lp.LM(f"pocket/{size}", cache=False), count)
        async with Server({f"pocket/{size}": model}) as server:
            port.send(server.base_url)
            await asyncio.Event().wait()

    asyncio.run(run())


@contextmanager
def endpoint(size: str) -> Iterator[tuple[str, Synchronized[int]]]:
    """Serve an embedded model in its own process; yields base URL and counter."""
    context = mp.get_context("spawn")
    count = context.Value("i", 0)
    here, there = context.Pipe()
    process = context.Process(target=_serve, args=(size, count, there), daemon=True)
    process.start()
    try:
        yield here.recv(), count
    finally:
        process.terminate()
        process.join()


@dataclass(frozen=True, slots=True)
class Place:
    """Where the model is served, and the counter of its requests."""

    url: str
    count: Synchronized[int]
    size: str
    our_form: bool = True


def compile_ours(name: str, cap: int, task: Task, place: Place, seed: int) -> dict[str, Any]:
    """Compile with one of our optimizers; score the shipped program and the best candidate."""
    model = lp.LM(
        f"pocket/{place.size}",
        base_url=place.url,
        api_key="none",
        cache=MemoryCache(),
        width=THREADS,
    )
    with lp.using(lm=model, adapter="chat"):  # as the published figures were measured
        started, before = time.perf_counter(), place.count.value
        result = OURS[name](concurrency=THREADS).compile(
            task.program,
            task.data[:TRAIN],
            valset=task.data[TRAIN : TRAIN + VALIDATION],
            holdout=task.data[TRAIN + VALIDATION :],
            metric=task.metric,
            budget=lp.Budget(calls=cap),
            seed=seed,
        )
        paid, seconds = place.count.value - before, time.perf_counter() - started
        programs = (result.program, result.candidate.apply(task.program))
        shipped, best = (lp.evaluate(program, task.test, task.metric).mean for program in programs)
    return {"calls": paid, "seconds": seconds, "after": shipped, "candidate": best}


def score_uncompiled(task: Task, place: Place) -> dict[str, Any]:
    """Score the input program."""
    model = lp.LM(f"pocket/{place.size}", base_url=place.url, api_key="none", width=THREADS)
    with lp.using(lm=model, adapter="chat"):  # as the published figures were measured
        return {"base": lp.evaluate(task.program, task.test, task.metric).mean}


def compile_theirs(name: str, task: Task, place: Place, seed: int) -> dict[str, Any]:
    """Compile with one of DSPy's, which use validation and holdout together for choosing."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["DSPY_CACHEDIR"] = folder
        import dspy  # noqa: PLC0415 - after its cache has an empty folder

        model = dspy.LM(
            f"openai/pocket/{place.size}",
            api_base=place.url,
            api_key="none",
            model_type="chat",
            max_tokens=400,
        )
        parts = (task.data[:TRAIN], task.data[TRAIN:])
        started, before = time.perf_counter(), place.count.value
        answer = compile_peer(
            name,
            task.program,
            parts,
            task.score,
            model,
            seed=seed,
            settings=PeerSettings(THREADS, ChatAdapter() if place.our_form else None),
        )
        paid, seconds = place.count.value - before, time.perf_counter() - started
        with ThreadPoolExecutor(THREADS) as pool:
            outputs = list(pool.map(partial(answer_or_nothing, answer), task.test))
        scores = [
            task.score(example, values) for example, values in zip(task.test, outputs, strict=True)
        ]
    after = statistics.fmean(scores)
    return {"calls": paid, "seconds": seconds, "after": after, "failed": answer.failed}


@dataclass(frozen=True, slots=True)
class Job:
    """One compile, or the input program."""

    task: str
    seed: int
    optimizer: str
    cap: int | None

    @property
    def name(self) -> str:
        """Name of the optimizer and its cap."""
        return self.optimizer if self.cap is None else f"{self.optimizer}, {self.cap:,} calls"

    @property
    def file(self) -> str:
        """File name of its outcome."""
        return f"{self.task}-{self.optimizer}-{self.cap}-{self.seed}.json".replace(" ", "_")


def list_jobs(options: argparse.Namespace) -> Iterator[Job]:
    """Yield every compile, seed by seed."""
    caps = [int(cap) for cap in options.caps.split(",")]
    for seed in range(options.first, options.first + options.seeds):
        for task in list(TASKS)[: options.tasks]:
            yield Job(task, seed, BASE, None)
            for name in OURS:
                # The flagship at every cap, its components at the last one only.
                for cap in caps if name == "Compiler" else caps[-1:]:
                    yield Job(task, seed, name, cap)
            for name in PEERS[:4]:  # as the published figures were measured
                yield Job(task, seed, f"DSPy {name}", None)


def _send_outcome(job: Job, place: Place, answer: Any) -> None:
    task = make_task(job.task, job.seed)
    if job.optimizer == BASE:
        outcome = score_uncompiled(task, place)
    elif job.cap is None:
        outcome = compile_theirs(job.optimizer.removeprefix("DSPy "), task, place, job.seed)
    else:
        outcome = compile_ours(job.optimizer, job.cap, task, place, job.seed)
    answer.send({"task": job.task, "name": job.name, "seed": job.seed, **outcome})


def run_job(job: Job, place: Place) -> dict[str, Any]:
    """Run a compile; restart it if it ended in an error."""
    outcome = run_apart(_send_outcome, job, place)
    for _ in range(TRIES - 1):
        if not outcome.get("failed", False):
            break
        outcome = run_apart(_send_outcome, job, place)
    return outcome


def run_apart(send: Callable[[Job, Place, Any], None], job: Job, place: Place) -> dict[str, Any]:
    """Run one compile in its own process, so that no cache outlives it.

    Args:
        send: Runs the compile there and sends its outcome through a connection.
        job: The compile.
        place: Where the model is.
    """
    context = mp.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=send, args=(job, place, there), daemon=True)
    process.start()
    there.close()
    try:
        outcome: dict[str, Any] = here.recv()
    except EOFError:
        raise RuntimeError(f"{job.name} on {job.task} ended without a result") from None
    process.join()
    return outcome


def format_tables(outcomes: Sequence[Mapping[str, Any]]) -> str:
    """Return the tables: all tasks together, then each."""
    before = {
        (outcome["task"], outcome["seed"]): outcome["base"]
        for outcome in outcomes
        if "base" in outcome
    }
    outcomes = [outcome for outcome in outcomes if "base" not in outcome]
    names = list(dict.fromkeys(outcome["name"] for outcome in outcomes))
    tasks = list(dict.fromkeys(outcome["task"] for outcome in outcomes))
    each: list[tuple[str, ...]] = [("accuracy", *tasks)]
    each.append(
        (
            "uncompiled",
            *(_format_mean(v for (t, _), v in before.items() if t == task) for task in tasks),
        )
    )
    for name in names:
        each.append(
            (
                name,
                *(
                    _format_mean(
                        o["after"] for o in outcomes if o["name"] == name and o["task"] == task
                    )
                    for task in tasks
                ),
            )
        )
    base = f"Uncompiled: {with_interval(list(before.values()))}."
    return f"{table(_list_rows(outcomes, names, before))}\n\n{base}\n\n{table(each)}"


def _list_rows(
    outcomes: Sequence[Mapping[str, Any]],
    names: Sequence[str],
    before: Mapping[tuple[str, int], float],
) -> list[tuple[str, ...]]:
    """Return the rows over all tasks."""
    flagship = [name for name in names if name.startswith("Compiler")][-1]
    best = {(o["task"], o["seed"]): o["after"] for o in outcomes if o["name"] == flagship}
    rows: list[tuple[str, ...]] = [
        (
            "optimizer",
            "paid calls",
            "accuracy",
            "of its best candidate",
            f"lead of {flagship}",
            "worse",
            "ended in an error",
            "seconds",
        )
    ]
    for name in names:
        some = [outcome for outcome in outcomes if outcome["name"] == name]
        lead = [best[outcome["task"], outcome["seed"]] - outcome["after"] for outcome in some]
        # "Worse" means by more than two standard errors of a test set of 300.
        worse = sum(
            outcome["after"] < before[outcome["task"], outcome["seed"]] - 0.055 for outcome in some
        )
        rows.append(
            (
                name,
                f"{statistics.fmean(outcome['calls'] for outcome in some):,.0f}",
                with_interval([outcome["after"] for outcome in some]),
                with_interval([outcome.get("candidate", outcome["after"]) for outcome in some]),
                "" if name == flagship else with_interval(lead, "+.3f"),
                f"{worse} of {len(some)}",
                f"{sum(outcome.get('failed', False) for outcome in some)} of {len(some)}",
                f"{statistics.fmean(outcome['seconds'] for outcome in some):.0f}",
            )
        )
    return rows


def _format_mean(values: Any) -> str:
    listed = list(values)
    return f"{statistics.fmean(listed):.2f}" if listed else ""


def main(arguments: list[str]) -> None:
    """Run every missing compile, and publish."""
    parser = argparse.ArgumentParser(description=__doc__, prog="benchmarks.optimizers")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first", type=int, default=100)
    parser.add_argument("--size", default="small")
    parser.add_argument("--caps", default="600,1780")
    parser.add_argument("--tasks", type=int, default=len(TASKS), help="how many of the tasks")
    parser.add_argument("--form", choices=("ours", "dspy"), default="ours")
    parser.add_argument("--keep", type=Path, default=Path("optimizers-runs"))
    parser.add_argument("--busy", action="store_true", help="say that the machine did more")
    options = parser.parse_args(arguments)
    options.keep.mkdir(parents=True, exist_ok=True)
    outcomes = []
    with endpoint(options.size) as (url, count):
        place = Place(url, count, options.size, options.form == "ours")
        for job in list_jobs(options):
            path = options.keep / job.file
            if not path.exists():
                path.write_text(json.dumps(run_job(job, place)), encoding="utf-8")
            outcome = json.loads(path.read_text(encoding="utf-8"))
            outcomes.append(outcome)
            score = outcome.get("after", outcome.get("base"))
            sys.stderr.write(f"{job.seed} {job.task}: {job.name}: {score:.3f}\n")
    compiles = [outcome for outcome in outcomes if "after" in outcome]
    publish(
        "optimizers",
        "# Optimizers on the embedded model\n\n"
        f"`python -m benchmarks.optimizers --seeds {options.seeds} --first {options.first} "
        f"--size {options.size} --caps {options.caps} --form {options.form} "
        f"--tasks {options.tasks}`; {machine()}; "
        f"{versions('langprog', 'dspy', 'gepa', 'optuna', 'litellm')}; pocket/{options.size} "
        f"behind one endpoint, generated tasks: {options.tasks}, seeds: {options.seeds}, 300 test "
        "examples each, 95 % bootstrap intervals over tasks and seeds; a lead is that on the same "
        "tasks and seeds. All have the same 400 "
        f"examples; ours keep {HOLDOUT} of them for the certificate, whose calls are among the "
        "paid ones, and ship the program as it was where no gain is certified. A peer's compile "
        f"that ended in an error was restarted, {TRIES} tries in all; the last one counts. The "
        "embedded model "
        "was trained to write instructions when it is asked as our proposer asks, and never saw "
        "the prompts in which DSPy's proposers and GEPA ask: for the search alone, see the "
        "response surface.\n\n"
        + ("Seconds: the machine had other work at the same time.\n\n" if options.busy else "")
        + format_tables(outcomes)
        + "\n\n"
        + format_shares("Compiler", compiles)
        + "\n\n"
        + draw_curves("optimizers", compiles),
    )


if __name__ == "__main__":
    main(sys.argv[1:])
