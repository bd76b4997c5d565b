"""The suite: which program, optimizer and model to use for a task.

Usage: python -m benchmarks [--task NAME ...] [--program NAME ...] [--optimizer NAME ...]
           [--model NAME ...] [--seed N ...] [--calls 300] [--base-url URL]
           [--hours H] [--dollars X] [--keep FOLDER] [--page suite] [--list] [--publish]

The grid has a cell for each combination; a finished cell is a line of FOLDER/cells.jsonl, so that
a stopped run goes on with the same command. ``--hours`` and ``--dollars`` end a run early, between
two cells; the report then says how many are missing. ``--page`` names the report. DSPy's
optimizers need the extra "bench". Tasks that begin with "public" need the public data, in the
folder that LANGPROG_DATA names.
"""

from __future__ import annotations

import argparse
import math
import shlex
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import langprog as lp
from benchmarks.measured import Checkpoint
from benchmarks.suite.cells import OPTIMIZERS, Cell, list_cells, run_cell
from benchmarks.suite.page import publish_report
from benchmarks.suite.tasks import PROGRAMS, TASKS
from langprog.lm import Cache, LanguageModel

# Where there is headroom for the smallest embedded model.
DEFAULT_TASKS = ("world: labels, 4", "world: cues", "world: extraction")
DEFAULT_PROGRAMS = ("answer", "reason")
MODELS = ("pocket/small",)


def main(arguments: Sequence[str]) -> int:
    """Run the missing cells, and publish; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, prog="benchmarks")
    parser.add_argument("--task", action="append", choices=list(TASKS))
    parser.add_argument("--program", action="append", choices=list(PROGRAMS))
    parser.add_argument("--optimizer", action="append", choices=list(OPTIMIZERS))
    parser.add_argument("--model", action="append")
    parser.add_argument("--seed", action="append", type=int)
    parser.add_argument("--calls", type=int, default=300, help="a compile may pay for")
    parser.add_argument("--base-url", help="where the models are served; ours run in process")
    parser.add_argument("--hours", type=float, default=math.inf, help="start no cell after that")
    parser.add_argument("--dollars", type=float, default=math.inf, help="start no cell after that")
    parser.add_argument("--keep", type=Path, default=Path("suite-runs"))
    parser.add_argument("--page", default="suite", help="name of the report in results")
    parser.add_argument("--list", action="store_true", help="name the tasks and stop")
    parser.add_argument("--publish", action="store_true", help="write what is measured so far")
    options = parser.parse_args(arguments)
    if options.list:
        sys.stdout.write("\n".join(TASKS) + "\n")
        return 0
    cells = list(
        list_cells(
            options.task or DEFAULT_TASKS,
            options.program or DEFAULT_PROGRAMS,
            options.optimizer or OPTIMIZERS,
            options.model or MODELS,
            options.seed or [0],
            options.calls,
        )
    )
    options.keep.mkdir(parents=True, exist_ok=True)
    kept = Checkpoint(options.keep / "cells.jsonl")
    if not options.publish:
        run_cells(cells, kept, options)
    done = [kept[cell.name] for cell in cells if cell.name in kept]
    if not done:
        sys.stdout.write("no cell is measured yet\n")
        return 1
    command = shlex.join(["python", "-m", "benchmarks", *_without_limits(arguments)])
    publish_report(options.page, command, done, len(cells))
    return 0


def run_cells(cells: Sequence[Cell], kept: Checkpoint, options: argparse.Namespace) -> None:
    """Run what is missing, until the time or the money is up."""
    started = time.monotonic()
    for cell in cells:
        if cell.name in kept:
            continue
        spent = math.fsum(_dollars(kept[each.name]) for each in cells if each.name in kept)
        if time.monotonic() - started > options.hours * 3600 or spent >= options.dollars:
            sys.stderr.write("stopped early: the same command goes on\n")
            return
        kept.measure_once(cell.name, partial(run_cell, cell, _connector(options.base_url)))


def _connector(base_url: str | None) -> Any:
    def connect(name: str, cache: Cache | bool) -> LanguageModel:
        if base_url is None:
            return lp.LM(name, cache=cache)
        return lp.LM(name, cache=cache, base_url=base_url, api_key="none")

    return connect


def _dollars(cell: dict[str, Any]) -> float:
    compiling, running = cell["compile_dollars"] or 0.0, cell["run_dollars"] or 0.0
    return float(compiling + running * len(cell["scores"]))


def _without_limits(arguments: Sequence[str]) -> list[str]:
    """Return the arguments that decide what the grid is."""
    kept: list[str] = []
    for place, argument in enumerate(arguments):
        limits = ("--keep", "--hours", "--dollars")
        before = arguments[place - 1] if place else ""
        if (
            argument in (*limits, "--publish")
            or before in limits
            or argument.startswith("--keep=")
        ):
            continue
        kept.append(argument)
    return kept


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
