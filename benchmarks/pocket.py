"""What the embedded models can do: every size on held-out tasks, real text, and calls a second.

Usage: python -m benchmarks.pocket [--count 500] [--sizes small,medium] [--skip-speed]

Nothing here was trained on: see the model card, ``langprog/pocket/README.md``. The real texts lie
in the folder that LANGPROG_DATA names; without it their rows are left out.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from typing import Literal

import langprog as lp
from benchmarks.measured import Figure, machine, publish, table, versions
from benchmarks.tasks.episodes import REAL, real_episodes
from benchmarks.tasks.folder import data_folder, missing
from langprog.pocket import SIZES
from langprog.pocket.models import runner
from langprog.pocket.training.evaluate import (
    CELLS,
    Result,
    answer,
    cell,
    in_json,
    outside,
    proposals,
)
from langprog.signature import FieldSpec, SignatureSpec

CONCURRENCY, SPEED_CALLS, SPEED_ROUNDS = 32, 256, 7
# Demonstrations against none; a right instruction against a vague one; reasons against none.
GAINS = {
    "8 demonstrations, 4 labels that mean nothing": (
        "labels that mean nothing, 4, vague instruction, 8 demos",
        "labels that mean nothing, 4, vague instruction, 0 demos",
    ),
    "right instruction, 4 labels that mean nothing": (
        "the same 4, mapping in the instruction, 0 demos",
        "labels that mean nothing, 4, vague instruction, 0 demos",
    ),
    "right instruction, extraction": (
        "extraction, right instruction, 0 demos",
        "extraction, vague, 0 demos",
    ),
    "right instruction, lists": ("lists, right instruction, 0 demos", "lists, vague, 0 demos"),
    "right instruction, cue": (
        "cue, labels that mean nothing, mapping in the instruction",
        "cue, labels that mean nothing, 0 demos",
    ),
    "reasoning, two-hop look-ups": (
        "look-up, two hops, with reasoning, 2 demos",
        "look-up, two hops, direct, 2 demos",
    ),
    "reasoning, two-step sums": (
        "sums, two steps, with reasoning, 2 demos",
        "sums, two steps, direct, 2 demos",
    ),
}


def main(arguments: list[str]) -> None:
    """Measure every size and publish."""
    parser = argparse.ArgumentParser(description=__doc__, prog="benchmarks.pocket")
    parser.add_argument("--count", type=int, default=500, help="episodes a cell")
    parser.add_argument("--sizes", default=",".join(SIZES))
    parser.add_argument("--skip-speed", action="store_true")
    options = parser.parse_args(arguments)
    sizes = options.sizes.split(",")
    jobs = [(size, job, options.count) for job in _jobs() for size in sizes]
    found: dict[tuple[str, str], Result] = {}
    with ProcessPoolExecutor(2) as pool:
        for (size, _, _), results in zip(jobs, pool.map(_done, jobs), strict=True):
            for result in results:
                found[result.name, size] = result
                sys.stderr.write(f"{size}: {result.name}: {result.share:.3f}\n")
    parts = [
        f"# The embedded models\n\n`python -m benchmarks.pocket`; {machine()}; "
        f"{versions('langprog', 'numpy')}; greedy answers, exact match, 95 % Wilson intervals.",
        accuracies(found, sizes),
        gains(found, sizes),
    ]
    if not options.skip_speed:
        parts.append(speeds(sizes))
    if data_folder() is None:
        parts.append(missing())
    publish("pocket", "\n\n".join(parts))


def _jobs() -> list[str]:
    real = [f"real:{name}" for name in REAL] if data_folder() else []
    return [*CELLS, *(f"json:{name}" for name in in_json()), "outside", "proposals", *real]


def _done(job: tuple[str, str, int]) -> list[Result]:
    size, name, count = job
    model = runner(size)
    kind, _, rest = name.partition(":")
    if name == "outside":
        return list(outside(model))
    if name == "proposals":
        return _proposed(size, count)
    if kind == "json":
        return [cell(model, rest, CELLS[rest], count, "json")]
    if kind == "real":
        folder = data_folder()
        assert folder is not None
        pairs = (answer(model, one) for one in real_episodes(folder, rest, count))
        return [Result(f"real text: {rest}, 8 demos", sum(a == b for a, b in pairs), count)]
    return [cell(model, name, CELLS[name], count)]


def _proposed(size: str, count: int) -> list[Result]:
    pairs = list(proposals(runner(size), max(20, count // 5)))
    better = sum(proposed >= vague + 0.2 for vague, proposed in pairs)
    return [Result("proposals from 6 examples that gain 20 points or more", better, len(pairs))]


def accuracies(found: dict[tuple[str, str], Result], sizes: list[str]) -> str:
    """Return the table of all cells."""
    rows: list[tuple[str, ...]] = [("held-out task", "n", *(f"pocket/{size}" for size in sizes))]
    for name in dict.fromkeys(name for name, _ in found):
        cells = [found[name, size] for size in sizes]
        rows.append((name, str(cells[0].count), *(str(one) for one in cells)))
    own = [name for name in CELLS if all((name, size) in found for size in sizes)]
    together = [
        Result(
            "mean of the generator's tasks in chat form",
            sum(found[name, size].right for name in own),
            sum(found[name, size].count for name in own),
        )
        for size in sizes
    ]
    rows.append((together[0].name, str(together[0].count), *(str(one) for one in together)))
    return table(rows)


def gains(found: dict[tuple[str, str], Result], sizes: list[str]) -> str:
    """Return how much demonstrations, instructions and reasons add, in points."""
    rows: list[tuple[str, ...]] = [("what it adds, points", *(f"pocket/{s}" for s in sizes))]
    for name, (more, less) in GAINS.items():
        rows.append((name, *(_gain(found[more, s], found[less, s]) for s in sizes)))
    return table(rows)


def _gain(more: Result, less: Result) -> str:
    points = 100 * (more.share - less.share)
    half = 196 * (more.variance + less.variance) ** 0.5
    return f"{points:+.0f} [{points - half:+.0f}, {points + half:+.0f}]"


# --- speed ---------------------------------------------------------------------------------------


def speeds(sizes: list[str]) -> str:
    """Return calls a second of programs with 4 demonstrations, 32 calls at the same time."""
    rows: list[tuple[str, ...]] = [("calls a second at concurrency 32", "median [95 % interval]")]
    for size in sizes:
        values = tuple(asyncio.run(_speed(size, seed)) for seed in range(SPEED_ROUNDS + 1))[1:]
        rows.append((f"pocket/{size}", str(Figure(size, values, "1/s"))))
    return table(rows)


async def _speed(size: str, seed: int) -> float:
    rng = random.Random(seed)
    texts = [
        f"my {rng.choice(('card', 'router', 'parcel', 'password'))} has a problem since "
        f"{rng.choice(('monday', 'tuesday', 'friday'))} and order {rng.randrange(10_000)} is late"
        for _ in range(SPEED_CALLS)
    ]
    labels = ("harbor", "atlas", "ember", "cedar")
    signature = SignatureSpec(
        "Route",
        "Route the ticket to the right team.",
        (FieldSpec("ticket", "input"), FieldSpec("team", "output", Literal[labels])),
    )
    demos = [lp.Example(ticket=text, team=team) for text, team in zip(texts, labels, strict=False)]
    program = lp.Predict(signature, demos=demos)
    room = asyncio.Semaphore(CONCURRENCY)

    async def one(text: str) -> None:
        async with room:
            await program.acall(ticket=text)

    with lp.using(lm=lp.LM(f"pocket/{size}", cache=False)):
        started = time.perf_counter()
        await asyncio.gather(*(one(text) for text in texts))
        return SPEED_CALLS / (time.perf_counter() - started)


if __name__ == "__main__":
    main(sys.argv[1:])
