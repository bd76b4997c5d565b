"""Few calls: is the default optimizer as good as plain sets of demonstrations?

Usage: python -m benchmarks.surface.small [--seeds 10] [--first 7000] [--calls 150,300] --keep FILE

Five simulated tasks with one module: demonstrations help with their number, help a little, hurt,
or hardly matter; instructions help much or hardly. The numbers of the first and of the one where
they hurt are like those of a small real model (``benchmarks/results/real.md``). Finished compiles
are lines of FILE, so that a stopped run can be resumed.
"""

from __future__ import annotations

import argparse
import math
import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

import langprog as lp
from benchmarks.measured import Checkpoint, machine, publish, table, versions, with_interval
from benchmarks.surface.endpoint import ITEM, Messages, Surface, unit
from benchmarks.surface.programs import items, model, program, right, truth
from optimizers import BootstrapRandomSearch, Compiler, Optimizer

TRAIN, VALIDATION, HOLDOUT = 80, 100, 60
OPTIMIZERS: Mapping[str, Callable[[], Optimizer]] = MappingProxyType(
    {"Compiler": Compiler, "BootstrapRandomSearch": BootstrapRandomSearch}
)


@dataclass(frozen=True, slots=True)
class World:
    """How accuracy depends on the prompt, in logits.

    Args:
        base: Under a bare prompt.
        shown: Number of demonstrations and what they add, in steps; linear in between.
        spread: Standard deviation between sets of one size.
        instructions: Factor of the effects that phrases have on the surface.
        foreign: What any other instruction than the program's own adds.
    """

    base: float
    shown: tuple[tuple[int, float], ...]
    spread: float
    instructions: float
    foreign: float = 0.0


WORLDS: Mapping[str, World] = MappingProxyType(
    {
        "demonstrations help": World(
            -1.25, ((0, 0), (4, 0.1), (8, 0.9), (12, 0.9), (16, 1.45)), 0.2, 0.15, -0.15
        ),
        "instructions help": World(-0.2, ((0, 0), (4, 0.25), (8, 0.4), (16, 0.5)), 0.1, 1.0),
        "both help": World(-0.8, ((0, 0), (4, 0.4), (8, 0.8), (16, 1.1)), 0.2, 0.7),
        "demonstrations hurt": World(
            1.8, ((0, 0), (4, -1.5), (8, -1.1), (16, -0.8)), 0.4, 0.2, -0.05
        ),
        "little helps": World(0.1, ((0, 0), (4, -0.2), (8, 0), (16, 0.2)), 0.35, 0.2, -0.05),
    }
)


class WorldSurface(Surface):
    """A surface on which the number of demonstrations matters as a world says."""

    def __init__(self, world: World, seed: int) -> None:
        super().__init__(seed)
        self.world = world

    def chance(self, module: str, messages: Messages, item: int, first_right: bool) -> float:
        """Return the probability that the answer to this prompt is right."""
        pairs = zip(messages, messages[1:], strict=False)
        matches = [ITEM.search(asked) for (_, asked), (role, _) in pairs if role == "assistant"]
        shown = sorted(match[1] for match in matches if match is not None)
        system = messages[0][1]
        own = "Give the answer for the item." in system
        logit = (
            self.world.base
            + _interpolate(self.world.shown, len(shown))
            + (self.world.spread * _normal(self.seed, "set", *shown) if shown else 0.0)
            + self.world.instructions * self.instruction_effect(module, system)
            + (0.0 if own else self.world.foreign)
            - self.difficulty(module, item)
        )
        return 1 / (1 + math.exp(-logit))


def _interpolate(points: Sequence[tuple[int, float]], at: int) -> float:
    for (left, low), (end, high) in zip(points, points[1:], strict=False):
        if at <= end:
            return low + (high - low) * (at - left) / (end - left)
    return points[-1][1]


def _normal(*parts: object) -> float:
    return statistics.NormalDist().inv_cdf(0.5 / 2**56 + (1 - 2**-56) * unit(*parts))


def run_compile(name: str, world: str, calls: int, seed: int) -> dict[str, Any]:
    """Compile, and measure the true accuracy of the best candidate.

    Args:
        name: One of ``OPTIMIZERS``.
        world: One of ``WORLDS``.
        calls: Cap on the calls.
        seed: Of the world and of the compile.
    """
    surface, base = WorldSurface(WORLDS[world], seed), program(1)
    data = items(surface, 0, TRAIN + VALIDATION + HOLDOUT)
    with lp.using(lm=model(surface), adapter="chat"):
        compiled = OPTIMIZERS[name]().compile(
            base,
            data[:TRAIN],
            valset=data[TRAIN : TRAIN + VALIDATION],
            holdout=data[TRAIN + VALIDATION :],
            metric=right,
            budget=lp.Budget(calls=calls),
            seed=seed,
        )
    candidate = compiled.candidate.apply(base)
    (predictor,) = candidate.predictors().values()
    return {
        "paid": compiled.report.paid.calls,
        "before": truth(base, surface),
        "candidate": truth(candidate, surface),
        "shipped": truth(compiled.program, surface),
        "demos": len(predictor.demos),
    }


def format_page(kept: Checkpoint, seeds: Sequence[int], caps: Sequence[int]) -> str:
    """Return the table: a row for each task, cap and optimizer, and the paired difference."""
    head = ("task", "calls", "optimizer", "paid", "before", "candidate", "shipped", "shown")
    rows: list[tuple[str, ...]] = [(*head, "Compiler minus this one")]
    for world in WORLDS:
        for calls in caps:
            some = {
                name: [kept[key(name, world, calls, seed)] for seed in seeds]
                for name in OPTIMIZERS
            }
            ours = [each["candidate"] for each in some["Compiler"]]
            for name, outcomes in some.items():
                theirs = [each["candidate"] for each in outcomes]
                gains = [mine - other for mine, other in zip(ours, theirs, strict=True)]
                rows.append(
                    (
                        world,
                        str(calls),
                        name,
                        f"{statistics.fmean(each['paid'] for each in outcomes):.0f}",
                        f"{statistics.fmean(each['before'] for each in outcomes):.3f}",
                        with_interval(theirs),
                        with_interval([each["shipped"] for each in outcomes]),
                        f"{statistics.fmean(each['demos'] for each in outcomes):.1f}",
                        "" if name == "Compiler" else with_interval(gains, "+.3f"),
                    )
                )
    return table(rows)


def key(name: str, world: str, calls: int, seed: int) -> str:
    """Return the name of a compile in the file."""
    return f"{world} | {name} | {calls} calls | seed {seed}"


def main(arguments: Sequence[str]) -> None:
    """Run the missing compiles, and publish."""
    parser = argparse.ArgumentParser(description=__doc__, prog="benchmarks.surface.small")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--first", type=int, default=7000)
    parser.add_argument("--calls", default="150,300")
    parser.add_argument("--keep", type=Path, required=True)
    options = parser.parse_args(arguments)
    seeds = range(options.first, options.first + options.seeds)
    caps = list(map(int, options.calls.split(",")))
    kept = Checkpoint(options.keep)
    for seed in seeds:
        for world in WORLDS:
            for calls in caps:
                for name in OPTIMIZERS:
                    run = partial(run_compile, name, world, calls, seed)
                    kept.measure_once(key(name, world, calls, seed), run)
    publish(
        "surface_small",
        "# Few calls\n\n"
        "**Simulated** (`benchmarks/surface/small.py`): no figure here is about a real model. "
        f"`python -m benchmarks.surface.small --seeds {options.seeds} --first {options.first} "
        f"--calls {options.calls}`; {machine()}; {versions('langprog', 'optuna')}; {len(seeds)} "
        f"seeds; 600 fresh items each; 95 % bootstrap intervals over seeds. {TRAIN} rows for "
        f"demonstrations, {VALIDATION} for choosing, {HOLDOUT} for the certificate, whose calls "
        "are among the paid ones. *Candidate* is the best that the search found; the program as "
        "it was is *shipped* where no gain is certified. *Shown* are its demonstrations.\n\n"
        f"{format_page(kept, seeds, caps)}",
    )


if __name__ == "__main__":
    main(sys.argv[1:])
