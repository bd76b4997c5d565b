"""Every optimizer on the response surface: true accuracy against paid calls.

Usage: python -m benchmarks.surface [--seeds 30] [--first 5000] [--keep FOLDER] [--workers 1]

Needs the extra "bench" for the peers. Each finished compile is kept in FOLDER, so that a run that
was stopped goes on. The seeds were chosen after the code was frozen; those that it was developed
on are 1000 to 1023.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import langprog as lp
from benchmarks.curves import curves, shares
from benchmarks.measured import machine, publish, table, versions, with_interval
from benchmarks.peers import PEERS
from benchmarks.surface.endpoint import Surface
from benchmarks.surface.peers import peer
from benchmarks.surface.programs import items, model, program, right, truth
from optimizers import GEPA, MIPRO, BootstrapRandomSearch, Compiler, Optimizer

OURS: Mapping[str, type[Optimizer]] = {
    "Compiler": Compiler,
    "MIPRO": MIPRO,
    "GEPA": GEPA,
    "BootstrapRandomSearch": BootstrapRandomSearch,
}
CAPS = (600, 1000, 1780, 4000)


@dataclass(frozen=True, slots=True)
class Job:
    """One compile."""

    seed: int
    modules: int
    optimizer: str
    cap: int | None

    @property
    def name(self) -> str:
        """The optimizer and its cap in words."""
        return self.optimizer if self.cap is None else f"{self.optimizer}, {self.cap} calls"


def done(job: Job) -> dict[str, Any]:
    """Compile, and measure the truth about what comes out."""
    surface = Surface(job.seed)
    data = items(surface, 0, 400)
    asked = program(job.modules)
    before = truth(asked, surface)
    started = time.perf_counter()
    found: dict[str, Any]
    if job.cap is None:
        calls, after = peer(job.optimizer.removeprefix("DSPy "), asked, data, surface, job.seed)
        found = {"calls": calls, "after": after, "candidate": after}
    else:
        with lp.using(lm=model(surface)):
            result = OURS[job.optimizer]().compile(
                asked,
                data[:100],
                valset=data[100:300],
                holdout=data[300:],
                metric=right,
                budget=lp.Budget(calls=job.cap),
                seed=job.seed,
            )
        calls = surface.calls
        best = result.candidate.apply(asked)
        found = {
            "calls": calls,
            "after": truth(result.program, surface),
            "candidate": truth(best, surface),
        }
    seconds = round(time.perf_counter() - started, 2)
    return {
        "name": job.name,
        "modules": job.modules,
        "before": before,
        "seconds": seconds,
        **found,
    }


def kept(folder: Path | None, job: Job) -> dict[str, Any]:
    """Return a compile's outcome, from ``folder`` where it is there already."""
    if folder is None:
        return done(job)
    path = folder / f"{job.modules}-{job.name.replace(' ', '_').replace(',', '')}-{job.seed}.json"
    if path.exists():
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return found
    outcome = done(job)
    path.write_text(json.dumps(outcome), encoding="utf-8")
    return outcome


def jobs(seeds: Sequence[int]) -> Iterator[Job]:
    """Yield every compile, seed by seed."""
    for seed in seeds:
        for modules in (1, 2):
            for name in OURS:
                for cap in CAPS:
                    yield Job(seed, modules, name, cap)
            for name in PEERS:
                yield Job(seed, modules, f"DSPy {name}", None)


def described(outcomes: Sequence[Mapping[str, Any]], modules: int) -> str:
    """Return the table of one program."""
    rows: list[tuple[str, ...]] = [
        ("optimizer", "paid calls", "true accuracy", "of its best candidate", "worse than before")
    ]
    names = dict.fromkeys(one["name"] for one in outcomes)
    for name in names:
        some = [one for one in outcomes if one["name"] == name and one["modules"] == modules]
        # Two measurements of one program differ by their noise; worse is worse beyond that.
        worse = sum(one["after"] < one["before"] - 0.03 for one in some)
        rows.append(
            (
                name,
                f"{statistics.fmean(one['calls'] for one in some):,.0f}",
                with_interval([one["after"] for one in some]),
                with_interval([one["candidate"] for one in some]),
                f"{worse} of {len(some)}",
            )
        )
    before = [one["before"] for one in outcomes if one["modules"] == modules]
    head = f"## {modules} module{'s' * (modules > 1)}; uncompiled {with_interval(before)}"
    return f"{head}\n\n{table(rows)}"


def main(arguments: list[str]) -> None:
    """Run every compile that is not there yet, and publish."""
    parser = argparse.ArgumentParser(description=__doc__, prog="benchmarks.surface")
    parser.add_argument("--seeds", type=int, default=30)
    parser.add_argument("--first", type=int, default=5000)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--workers", type=int, default=1)
    options = parser.parse_args(arguments)
    if options.keep is not None:
        options.keep.mkdir(parents=True, exist_ok=True)
    seeds = range(options.first, options.first + options.seeds)
    outcomes = []
    with ProcessPoolExecutor(options.workers) as pool:
        for one in pool.map(partial(kept, options.keep), jobs(seeds)):
            outcomes.append(one)
            sys.stderr.write(f"{one['modules']} {one['name']}: {one['after']:.3f}\n")
    head = (
        "# Optimizers on the response surface\n\n"
        f"**Simulated** (`benchmarks/surface`): no figure here is about a real model. "
        f"`python -m benchmarks.surface --seeds {options.seeds} --first {options.first}`; "
        f"{machine()}; {versions('langprog', 'dspy', 'gepa', 'optuna')}; {options.seeds} seeds, "
        "600 fresh items each for the truth; 95 % bootstrap intervals over seeds. All have 400 "
        "labelled items; ours keep 100 of them for the certificate, whose calls are among the "
        "paid ones, and ship the program as it was where no gain is certified."
    )
    parts = [head]
    for modules in (1, 2):
        some = [one for one in outcomes if one["modules"] == modules]
        parts.append(described(outcomes, modules))
        parts += [shares("Compiler", some), curves(f"surface-{modules}", some)]
    publish("surface", "\n\n".join(parts))


if __name__ == "__main__":
    main(sys.argv[1:])
