"""Compare all optimizers on the response surface: true accuracy against paid calls.

Usage: python -m benchmarks.surface [--seeds 30] [--first 5000] [--keep FOLDER] [--workers 1]
       python -m benchmarks.surface --only Compiler,MIPRO [--caps N,N] ...
       python -m benchmarks.surface --ablations [--pieces A,B] [--caps N,N] [--seeds 30] ...
       python -m benchmarks.surface --pruning [--seeds 30] [--first 1000] ...

Needs the extra "bench" for the peers; ``--only`` measures some optimizers anew, and keeps the rows
that the page has of all others. Each finished compile is kept in FOLDER, so that a stopped
run can be resumed. The seeds from 5000 on were chosen after the code was frozen; it was developed
on the seeds 1000 to 1029, which the ablations and the comparison with and without pruning use
as well.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TypeVar

from benchmarks.measured import (
    machine,
    publish,
    publish_section,
    versions,
)
from benchmarks.surface.ablations import CAPS, WITHOUT, format_ablations, list_settings
from benchmarks.surface.jobs import Job, list_jobs, run_all
from benchmarks.surface.page import format_page
from benchmarks.surface.pruning import format_pairs, list_pairs

T = TypeVar("T")

DEVELOPMENT, FRESH_SEEDS = 1000, 5000


def compare_optimizers(options: argparse.Namespace, seeds: range) -> None:
    """Run every missing compile of the main table, and publish."""
    outcomes = []
    only = options.only.split(",") if options.only else None
    caps = list(map(int, options.caps.split(","))) if options.caps else CAPS
    for outcome in run_all(list_jobs(seeds, only, caps), options.keep, options.workers):
        outcomes.append(outcome)
        sys.stderr.write(f"{outcome['modules']} {outcome['name']}: {outcome['after']:.3f}\n")
    publish("surface", format_page(outcomes, seeds, options.only or "", options.caps or ""))


def ablate(options: argparse.Namespace, seeds: range) -> None:
    """Run the compiler with and without each optional piece, and publish the differences."""
    pieces = [piece for piece in WITHOUT if piece]
    if options.pieces:
        pieces = options.pieces.split(",")
    caps = list(map(int, options.caps.split(","))) if options.caps else CAPS
    settings = list_settings(seeds, pieces, caps)
    jobs = [Job(seed, modules, "Compiler", cap, piece) for piece, modules, cap, seed in settings]
    outcomes = dict(zip(settings, run_all(jobs, options.keep, options.workers), strict=True))
    some = f" --pieces '{options.pieces}'" if options.pieces else ""
    some += f" --caps {options.caps}" if options.caps else ""
    publish_section(
        "surface_ablations",
        f"## {', '.join(pieces)}",
        "**Simulated** (`benchmarks/surface`): no figure here is about a real model. "
        f"`python -m benchmarks.surface --ablations{some} --seeds {options.seeds} --first "
        f"{seeds[0]}`; "
        f"{machine()}; {versions('langprog', 'optuna')}; {options.seeds} seeds. Differences in "
        "the true accuracy of the best candidate, the whole `Compiler` minus the one without a "
        "piece, seed by seed; means with 95 % bootstrap intervals over seeds. The last column is "
        "the difference in paid calls. A piece whose interval over all settings holds 0, and "
        "that saves no calls, goes.\n\n"
        f"{format_ablations(outcomes)}",
    )


def compare_pruning(options: argparse.Namespace, seeds: range) -> None:
    """Run the compiler with and without pruning, and publish."""
    pairs = list_pairs(seeds)
    outcomes = run_all([job for pair in pairs for job in pair], options.keep, options.workers)
    publish(
        "surface_pruning",
        "# What pruning does to the result of a search\n\n"
        "**Simulated** (`benchmarks/surface`): no figure here is about a real model. "
        f"`python -m benchmarks.surface --pruning --seeds {options.seeds} --first {seeds[0]}`; "
        f"{machine()}; {versions('langprog', 'optuna')}; {options.seeds} seeds; 95 % bootstrap "
        "intervals over seeds. `Compiler` with and without pruning at the same cap: the search is "
        "the same, as pruning gets what it leaves. Accuracy is that of the best candidate on "
        "600 fresh items; prompt tokens are those of all modules. Every demonstration helps "
        "here, by construction, and so does nearly every instruction that a search finds: there "
        "is little to take out, and the table shows what is taken out by mistake, and what it "
        "costs.\n\n"
        f"{format_pairs(list(_pair_up(outcomes)))}",
    )


def _pair_up(outcomes: Iterable[T]) -> Iterator[tuple[T, T]]:
    """Yield the outcomes two by two."""
    each = iter(outcomes)
    yield from zip(each, each, strict=True)


def main(arguments: list[str]) -> None:
    """Run the comparison or the ablations."""
    parser = argparse.ArgumentParser(description=__doc__, prog="benchmarks.surface")
    parser.add_argument("--seeds", type=int, default=30)
    parser.add_argument("--first", type=int)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--ablations", action="store_true")
    parser.add_argument("--pieces")
    parser.add_argument("--caps")
    parser.add_argument("--only")
    parser.add_argument("--pruning", action="store_true")
    options = parser.parse_args(arguments)
    if options.keep is not None:
        options.keep.mkdir(parents=True, exist_ok=True)
    first = options.first
    if first is None:
        first = DEVELOPMENT if options.ablations or options.pruning else FRESH_SEEDS
    seeds = range(first, first + options.seeds)
    if options.pruning:
        compare_pruning(options, seeds)
    else:
        (ablate if options.ablations else compare_optimizers)(options, seeds)


if __name__ == "__main__":
    main(sys.argv[1:])
