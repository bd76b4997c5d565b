"""A small real model: what it can do, and what compiling for it gains.

Usage: python -m benchmarks.real --install
       python -m benchmarks.real --survey [--base-url URL] [--keep FOLDER]
       python -m benchmarks.real --compare [--task NAME ...] [--seed N ...] [--only NAME ...] ...
       python -m benchmarks.real --publish [--keep FOLDER]

The model is SmolLM2-135M-Instruct behind llama.cpp's server, started here unless a URL is given.
Every finished cell is kept in FOLDER, by default benchmarks/results/real, so that another run goes
on where this one stopped. The data are in the folder named by LANGPROG_DATA.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.measured import (
    RESULTS,
    Checkpoint,
    machine,
    publish,
    publish_section,
    versions,
)
from benchmarks.real.compare import BASE, OPTIMIZERS, list_jobs, run_jobs
from benchmarks.real.page import format_comparison
from benchmarks.real.programs import TASKS
from benchmarks.real.server import (
    connect,
    explain_missing_server,
    find_server,
    install_server,
    serve,
    server_folder,
)
from benchmarks.real.survey import ROWS, SEED, format_survey, run_survey
from benchmarks.tasks.folder import data_folder, explain_missing_data

COMPARISON = "## Comparison"
# The tasks on which the survey shows headroom.
TASKS_COMPARED = ("trec", "clinc150", "banking77")
SEEDS = (0, 1, 2)
SURVEYED, COMPARED = "survey.jsonl", "compare.jsonl"


def main(arguments: list[str]) -> int:
    """Run what is asked for; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, prog="benchmarks.real")
    parser.add_argument("--install", action="store_true", help="build the server and stop")
    parser.add_argument("--survey", action="store_true", help="measure the uncompiled model")
    parser.add_argument("--compare", action="store_true", help="compare optimizers")
    parser.add_argument("--publish", action="store_true", help="write what is measured so far")
    parser.add_argument("--task", action="append", choices=list(TASKS), help="only these")
    parser.add_argument("--seed", action="append", type=int, help="only these")
    parser.add_argument(
        "--only", action="append", choices=[BASE, *OPTIMIZERS], help="only these optimizers"
    )
    parser.add_argument("--base-url", help="a server that runs already")
    parser.add_argument("--keep", type=Path, default=RESULTS / "real")
    options = parser.parse_args(arguments)
    if options.install:
        installed = install_server(server_folder())
        sys.stdout.write(f"{installed.program}\n{installed.weights}\n")
        return 0
    folder = data_folder()
    if folder is None:
        sys.stdout.write(f"{explain_missing_data()}\n")
        return 0
    options.keep.mkdir(parents=True, exist_ok=True)
    if options.publish:
        publish_survey(folder, options.keep)
        publish_comparison(options.keep)
        return 0
    with open_server(options.base_url) as base_url:
        if base_url is None:
            sys.stdout.write(f"{explain_missing_server()}\n")
        elif options.survey:
            survey(folder, options.keep, base_url)
        elif options.compare:
            compare(folder, options, base_url)
    return 0


@contextmanager
def open_server(base_url: str | None) -> Iterator[str | None]:
    """Yield the URL of a server: the given one, or a new one's; ``None`` if none is installed."""
    if base_url is not None:
        yield base_url
        return
    installed = find_server(server_folder())
    if installed is None:
        yield None
        return
    with serve(installed, log=server_folder() / "server.log") as address:
        yield address


def survey(folder: Path, keep: Path, base_url: str) -> None:
    """Measure the survey's missing cells, and publish."""
    run_survey(Checkpoint(keep / SURVEYED), folder, connect(base_url))
    publish_survey(folder, keep)


def compare(folder: Path, options: argparse.Namespace, base_url: str) -> None:
    """Run the missing compiles that are asked for, and publish all that are finished."""
    listed = list_jobs(options.task or TASKS_COMPARED, options.seed or SEEDS)
    asked = [job for job in listed if not options.only or job.optimizer in options.only]
    run_jobs(Checkpoint(options.keep / COMPARED), folder, base_url, asked)
    publish_comparison(options.keep)


def publish_survey(folder: Path, keep: Path) -> None:
    """Publish what is measured of the survey."""
    cells = format_survey(Checkpoint(keep / SURVEYED), folder)
    publish("real", f"{describe_survey()}\n\n{cells}", keep=COMPARISON)


def publish_comparison(keep: Path) -> None:
    """Publish what is measured of the comparison."""
    page = format_comparison(Checkpoint(keep / COMPARED), list_jobs(TASKS_COMPARED, SEEDS))
    publish_section("real", COMPARISON, page)


def describe_survey() -> str:
    """Return what the survey's table is about."""
    return (
        "# A small real model\n\n"
        "SmolLM2-135M-Instruct (4 bits a weight) behind llama.cpp's server with 4 slots. **It is "
        "a very small model**: larger ones follow instructions that this one does not understand. "
        f"{machine()}; {versions('langprog')}.\n\n## Survey\n\n"
        f"`python -m benchmarks.real --survey`; {ROWS} rows a cell from the data's training part, "
        f"the same rows in every cell of a task; seed {SEED}; temperature 0; 95 % intervals. "
        "Unreadable replies count as wrong."
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
