"""What the embedded models can do: every size on held-out tasks, real text, and calls a second.

Usage: python -m benchmarks.pocket [--count 500] [--sizes small,medium] [--skip-speed]
           [--keep FOLDER]

Each finished cell is kept in FOLDER, so that a stopped run can be resumed.

None of these tasks was trained on: see the model card, ``langprog_pocket/README.md``. The real
texts are in the folder named by LANGPROG_DATA; without it their rows are left out.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import random
import statistics
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import langprog as lp
from benchmarks.measured import Figure, machine, publish, table, versions
from benchmarks.tasks.episodes import REAL, real_episodes
from benchmarks.tasks.folder import data_folder, explain_missing_data
from langprog.pocket import SIZES
from langprog.pocket.models import load_runner, weights_folder
from langprog.pocket.training.evaluate import (
    CELLS,
    FORMS,
    VOTING,
    Result,
    answer,
    cell,
    outside,
    proposals,
    vote,
)
from langprog.signature import FieldSpec, SignatureSpec

Found = dict[tuple[str, str], Result]
CONCURRENCY, SPEED_CALLS, SPEED_ROUNDS = 32, 256, 7
MOST_VOTED = 200
PROPOSALS = "proposals from 6 examples that gain 20 points or more"
MEAN = "mean of the generator's tasks in chat form"
RIGHT = (
    "right instruction, 4 labels that mean nothing",
    "right instruction, extraction",
    "right instruction, lists",
    "right instruction, cue",
)
REASONS = ("reasoning, two-step sums", "reasoning, two-hop look-ups")
# With and without demonstrations; a right and a vague instruction; with and without reasons.
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
    "reasoning, chains of three facts": (
        "chain of 3 facts, with reasoning, 2 demos",
        "chain of 3 facts, direct, 2 demos",
    ),
}


def main(arguments: list[str]) -> None:
    """Measure every size and publish."""
    parser = argparse.ArgumentParser(description=__doc__, prog="benchmarks.pocket")
    parser.add_argument("--count", type=int, default=500, help="episodes a cell")
    parser.add_argument("--sizes", default=",".join(SIZES))
    parser.add_argument("--skip-speed", action="store_true")
    parser.add_argument("--keep", default=None)
    options = parser.parse_args(arguments)
    sizes = options.sizes.split(",")
    keep = Path(options.keep or tempfile.mkdtemp())
    keep.mkdir(parents=True, exist_ok=True)
    jobs = [Job(size, job, options.count, keep) for job in _list_jobs() for size in sizes]
    results: Found = {}
    with ProcessPoolExecutor(2) as pool:
        for job, cells in zip(jobs, pool.map(_load_or_run, jobs), strict=True):
            for result in cells:
                results[result.name, job.size] = result
                sys.stderr.write(f"{job.size}: {result.name}: {result.share:.3f}\n")
    parts = [
        f"# The embedded models\n\n`python -m benchmarks.pocket`; {machine()}; "
        f"{versions('langprog', 'numpy')}; greedy answers, exact match, 95 % Wilson intervals.",
        format_accuracies(results, sizes),
        format_gains(results, sizes),
        format_lines(results, sizes),
        format_crossings(results, sizes),
    ]
    if not options.skip_speed:
        parts.append(format_speeds(sizes))
    if data_folder() is None:
        parts.append(explain_missing_data())
    publish("pocket", "\n\n".join(parts))


def _list_jobs() -> list[str]:
    real = [f"real:{name}" for name in REAL] if data_folder() else []
    forms = [f"{form}:{name}" for form, name in FORMS]
    return [*CELLS, *forms, *(f"votes:{name}" for name in VOTING), "outside", "proposals", *real]


@dataclass(frozen=True)
class Job:
    """One or more cells of one size.

    Args:
        size: The model.
        name: The task.
        count: Episodes.
        keep: Folder of finished cells.
    """

    size: str
    name: str
    count: int
    keep: Path


@cache
def _weights(size: str) -> str:
    return hashlib.sha256((weights_folder() / f"{size}.safetensors").read_bytes()).hexdigest()


def _load_or_run(job: Job) -> list[Result]:
    key = f"{job.size} {_weights(job.size)} {job.name} {job.count}"
    digest = hashlib.sha256(key.encode()).hexdigest()[:16]
    path = job.keep / f"{digest}.json"
    if not path.exists():
        path.write_text(json.dumps([asdict(result) for result in _run(job)]), encoding="utf-8")
    return [Result(**result) for result in json.loads(path.read_text(encoding="utf-8"))]


def _run(job: Job) -> list[Result]:
    size, name, count = job.size, job.name, job.count
    model = load_runner(size)
    kind, _, rest = name.partition(":")
    if name == "outside":
        return list(outside(model))
    if name == "proposals":
        return _measure_proposals(size, count)
    if (kind, rest) in FORMS:
        return [cell(model, rest, CELLS[rest], count, kind)]
    if kind == "votes":
        return vote(model, rest, CELLS[rest], min(count, MOST_VOTED))
    if kind == "real":
        folder = data_folder()
        assert folder is not None
        pairs = (answer(model, episode) for episode in real_episodes(folder, rest, count))
        return [Result(f"real text: {rest}, 8 demos", sum(a == b for a, b in pairs), count)]
    return [cell(model, name, CELLS[name], count)]


def _measure_proposals(size: str, count: int) -> list[Result]:
    pairs = list(proposals(load_runner(size), count))
    better = sum(proposed >= vague + 0.2 for vague, proposed in pairs)
    return [Result(PROPOSALS, better, len(pairs))]


def _pool_cells(results: Found, sizes: list[str]) -> list[Result]:
    own = [name for name in CELLS if all((name, size) in results for size in sizes)]
    return [
        Result(
            MEAN,
            sum(results[name, size].right for name in own),
            sum(results[name, size].count for name in own),
            tuple(hit for name in own for hit in results[name, size].hits),
        )
        for size in sizes
    ]


def format_accuracies(results: Found, sizes: list[str]) -> str:
    """Return the table of all cells."""
    rows: list[tuple[str, ...]] = [("held-out task", "n", *(f"pocket/{size}" for size in sizes))]
    for name in dict.fromkeys(name for name, _ in results):
        cells = [results[name, size] for size in sizes]
        rows.append((name, str(cells[0].count), *(str(result) for result in cells)))
    together = _pool_cells(results, sizes)
    rows.append((together[0].name, str(together[0].count), *(str(result) for result in together)))
    return table(rows)


def format_gains(results: Found, sizes: list[str]) -> str:
    """Return the gains from demonstrations, instructions and reasons, in points."""
    rows: list[tuple[str, ...]] = [("what it adds, points", *(f"pocket/{s}" for s in sizes))]
    for name, (more, less) in GAINS.items():
        rows.append((name, *(_format_gain(results[more, s], results[less, s]) for s in sizes)))
    return table(rows)


def _format_gain(more: Result, less: Result) -> str:
    points, half = _difference(more, less)
    return f"{points:+.0f} [{points - half:+.0f}, {points + half:+.0f}]"


def _difference(more: Result, less: Result) -> tuple[float, float]:
    """Return a difference in points, and half the width of its 95 % interval."""
    return 100 * (more.share - less.share), 196 * (more.variance + less.variance) ** 0.5


def _measure_paired_gain(more: Result, less: Result) -> tuple[float, float]:
    """Return the paired gain of a size in points, and half the width of its interval."""
    differences = [a - b for a, b in zip(more.hits, less.hits, strict=True)]
    spread = statistics.stdev(differences) / len(differences) ** 0.5
    return 100 * statistics.fmean(differences), 196 * spread


def format_lines(results: Found, sizes: list[str]) -> str:
    """Return one line per requirement on the models, and whether it holds."""
    size = "medium" if "medium" in sizes else sizes[0]

    def points(name: str) -> float:
        more, less = GAINS[name]
        return _difference(results[more, size], results[less, size])[0]

    shots = points("8 demonstrations, 4 labels that mean nothing")
    right = [points(name) for name in RIGHT]
    reasons = {name: points(name) for name in REASONS}
    together = dict(zip(sizes, _pool_cells(results, sizes), strict=True))
    steps = [
        _measure_paired_gain(together[b], together[a])
        for a, b in zip(sizes, sizes[1:], strict=False)
    ]
    proposed = results[PROPOSALS, size]
    claims = [
        (
            shots >= 30,
            f"{size}: 8 demonstrations add {shots:+.0f} points; at least +30 are required",
        ),
        (
            sum(right) / len(right) >= 30,
            f"{size}: a right instruction adds {sum(right) / len(right):+.0f} points on the "
            "average over families; at least +30 are required",
        ),
        (
            max(reasons.values()) >= 15,
            f"{size}: a reasoning field adds "
            + ", ".join(f"{value:+.0f} ({name})" for name, value in reasons.items())
            + "; at least +15 are required on one of them",
        ),
        (
            all(middle > half for middle, half in steps),
            "every size is better than the one before on the average, episode by episode: "
            + ", ".join(f"{middle:+.1f} +- {half:.1f}" for middle, half in steps),
        ),
        (
            proposed.share >= 0.5,
            f"{size}: {proposed} of the proposals gain 20 points; half are required",
        ),
    ]
    return "Requirements:\n\n" + "\n".join(
        f"- {text}: {'holds' if good else 'does NOT hold'}." for good, text in claims
    )


def format_crossings(results: Found, sizes: list[str]) -> str:
    """Return the tasks on which a cheaper size is not detectably worse than the largest."""
    rows: list[tuple[str, ...]] = [("as good as the largest", "tasks")]
    largest = sizes[-1]
    left = [name for name in CELLS if all((name, size) in results for size in sizes)]
    for size in sizes:
        alike = [name for name in left if _is_as_good(results[name, size], results[name, largest])]
        left = [name for name in left if name not in alike]
        rows.append((f"pocket/{size}" if size != largest else "no cheaper one", "; ".join(alike)))
    return table(rows)


def _is_as_good(cheap: Result, dear: Result) -> bool:
    middle, half = _difference(dear, cheap)
    return middle <= half


# --- speed ---------------------------------------------------------------------------------------


def format_speeds(sizes: list[str]) -> str:
    """Return calls per second of programs with 4 demonstrations, 32 calls at a time."""
    rows: list[tuple[str, ...]] = [("calls a second at concurrency 32", "median [95 % interval]")]
    for size in sizes:
        values = tuple(
            asyncio.run(_measure_speed(size, seed)) for seed in range(SPEED_ROUNDS + 1)
        )[1:]
        rows.append((f"pocket/{size}", str(Figure(size, values, "1/s"))))
    return table(rows)


async def _measure_speed(size: str, seed: int) -> float:
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
    slots = asyncio.Semaphore(CONCURRENCY)

    async def call(text: str) -> None:
        async with slots:
            await program.acall(ticket=text)

    with lp.using(lm=lp.LM(f"pocket/{size}", cache=False)):
        started = time.perf_counter()
        await asyncio.gather(*(call(text) for text in texts))
        return SPEED_CALLS / (time.perf_counter() - started)


if __name__ == "__main__":
    main(sys.argv[1:])
