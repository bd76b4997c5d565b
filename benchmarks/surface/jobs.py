"""Compiles on the response surface, each kept in a file, so that a stopped run can be resumed."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

import langprog as lp
from benchmarks.peers import PEERS
from benchmarks.surface.ablations import WITHOUT
from benchmarks.surface.endpoint import Surface
from benchmarks.surface.peers import run_peer
from benchmarks.surface.programs import items, model, program, right, truth
from optimizers import GEPA, MIPRO, BootstrapRandomSearch, Compiler, Optimizer

OURS: Mapping[str, Callable[[], Optimizer]] = MappingProxyType(
    {
        "Compiler": Compiler,
        "MIPRO": MIPRO,
        "GEPA": GEPA,
        "BootstrapRandomSearch": BootstrapRandomSearch,
    }
)
CAPS = (600, 1000, 1780, 4000)


@dataclass(frozen=True, slots=True)
class Job:
    """A compile.

    Args:
        seed: Seed of the surface and of the compile.
        modules: Modules of the program.
        optimizer: Name of ours, or ``DSPy`` and the name of a peer.
        cap: Cap on the calls; ``None`` for a peer.
        without: The piece of the search that is left out, if any.
    """

    seed: int
    modules: int
    optimizer: str
    cap: int | None
    without: str = ""

    @property
    def name(self) -> str:
        """The optimizer, its cap and the piece left out."""
        name = self.optimizer if self.cap is None else f"{self.optimizer}, {self.cap} calls"
        return f"{name}, without {self.without}" if self.without else name


def run_job(job: Job) -> dict[str, Any]:
    """Compile, and measure the true accuracy of the result."""
    surface = Surface(job.seed)
    data = items(surface, 0, 400)
    base = program(job.modules)
    before = truth(base, surface)
    started = time.perf_counter()
    outcome: dict[str, Any]
    if job.cap is None:
        peer = job.optimizer.removeprefix("DSPy ")
        calls, after = run_peer(peer, base, data, surface, job.seed)
        outcome = {"calls": calls, "after": after, "candidate": after}
    else:
        with WITHOUT[job.without](), lp.using(lm=model(surface)):
            result = OURS[job.optimizer]().compile(
                base,
                data[:100],
                valset=data[100:300],
                holdout=data[300:],
                metric=right,
                budget=lp.Budget(calls=job.cap),
                seed=job.seed,
            )
        calls = surface.calls
        outcome = {
            "calls": calls,
            "after": truth(result.program, surface),
            "candidate": truth(result.candidate.apply(base), surface),
            "tokens": sum(each["tokens"] or 0 for each in result.report.prompts[1].values()),
            "parts": [[share["part"], share["kept"]] for share in result.report.shares],
        }
    seconds = round(time.perf_counter() - started, 2)
    return {
        "name": job.name,
        "modules": job.modules,
        "before": before,
        "seconds": seconds,
        **outcome,
    }


def load_or_run(folder: Path | None, job: Job) -> dict[str, Any]:
    """Return a compile's outcome, from ``folder`` if it is there."""
    if folder is None:
        return run_job(job)
    path = folder / f"{job.modules}-{job.name.replace(' ', '_').replace(',', '')}-{job.seed}.json"
    if path.exists():
        outcome: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return outcome
    outcome = run_job(job)
    path.write_text(json.dumps(outcome), encoding="utf-8")
    return outcome


def run_all(jobs: Sequence[Job], folder: Path | None, workers: int) -> Iterator[dict[str, Any]]:
    """Run jobs in processes; yield their outcomes in order."""
    with ProcessPoolExecutor(workers) as pool:
        yield from pool.map(partial(load_or_run, folder), jobs)


def list_jobs(
    seeds: Sequence[int], only: Sequence[str] | None = None, caps: Sequence[int] = CAPS
) -> list[Job]:
    """List the compiles of the main table, seed by seed.

    Args:
        seeds: Seeds of the surface.
        only: The optimizers; all of them, and the peers, if left out.
        caps: Caps on the calls of our optimizers.
    """
    ours = [name for name in OURS if only is None or name in only]
    peers = [f"DSPy {name}" for name in PEERS if only is None or f"DSPy {name}" in only]
    jobs = []
    for seed in seeds:
        for modules in (1, 2):
            jobs += [Job(seed, modules, name, cap) for name in ours for cap in caps]
            jobs += [Job(seed, modules, name, None) for name in peers]
    return jobs
