"""kill -9 at random moments of evaluations and batches: the same command resumes.

Usage: python -m benchmarks.kills [--kills 100] [--runs 4]

Each command runs in its own process, on a canned endpoint that counts requests. It is killed
repeatedly, each time after a random number of requests, and finally allowed to end. An evaluation
resumes from the cache of completions alone, a batch from its output alone.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import langprog as lp
from benchmarks.endpoint import canned_endpoint, count_requests
from benchmarks.measured import machine, publish_section, table, versions
from benchmarks.promises import COMMANDS
from langprog.artifact import save_program

ROWS, WIDTHS, LATENCY = 1200, (1, 4, 16, 64), 0.004


@dataclass(frozen=True, slots=True)
class Command:
    """A command that is killed.

    Args:
        name: What it is.
        arguments: Its arguments, except the width.
        cache: Value of LANGPROG_CACHE.
        result: Reads its result, without times.
    """

    name: str
    arguments: tuple[str, ...]
    cache: str
    result: Callable[[Path, str], Any]


def read_rows(folder: Path, name: str) -> Any:
    """Return the rows of an output in the order of the input."""
    text = (folder / name).read_text(encoding="utf-8")
    return sorted(text.splitlines())


def read_report(text: str) -> Any:
    """Return an evaluation's report without what depends on times and caches."""
    report = json.loads(text)
    return {name: report[name] for name in ("mean", "interval", "scored", "missing", "rows")}


EVALUATION = ("eval", "a.json", "--data", "in.jsonl", "--metric", "exact:answer", "--json")
BATCH = ("run", "a.json", "--batch", "in.jsonl", "--out")
# Each with the divisor of its kills: the two kinds of batch share theirs.
KILLED: Mapping[Command, int] = MappingProxyType(
    {
        Command("eval", EVALUATION, "cache", lambda folder, stdout: read_report(stdout)): 1,
        Command(
            "batch, JSONL", (*BATCH, "o.jsonl"), "off", lambda f, _: read_rows(f, "o.jsonl")
        ): 2,
        Command("batch, CSV", (*BATCH, "o.csv"), "off", lambda f, _: read_rows(f, "o.csv")): 2,
    }
)


def start_command(command: Command, folder: Path, url: str, width: int) -> subprocess.Popen[str]:
    """Start a command in its folder."""
    environment = {
        **os.environ,
        "OPENAI_BASE_URL": url,
        "OPENAI_API_KEY": "none",
        "LANGPROG_CACHE": command.cache if command.cache == "off" else str(folder / "cache"),
    }
    line = [sys.executable, "-m", "langprog", *command.arguments, "--width", str(width)]
    return subprocess.Popen(
        line,
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def prepare_folder(folder: Path) -> Path:
    """Create a folder with a program and its rows."""
    folder.mkdir()
    save_program(lp.Predict("question -> answer", model="openai/canned"), folder / "a.json")
    rows = [{"question": f"question {number}", "answer": "fine"} for number in range(ROWS)]
    (folder / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def compare_with_kills(command: Command, seed: int, kills: int, root: Path) -> dict[str, int]:
    """Run a command undisturbed, then again with kills, and compare the results."""
    rng = random.Random(f"{command.name}/{seed}")
    results, requests, in_flight, done = [], 0, 0, 0
    for part in ("whole", "killed"):
        folder = prepare_folder(root / f"{part}-{seed}")
        with canned_endpoint(LATENCY) as url:
            while part == "killed" and done < kills:
                width = rng.choice(WIDTHS)
                until = count_requests(url) + rng.randint(1, max(2, ROWS // kills))
                process = start_command(command, folder, url, width)
                while process.poll() is None and count_requests(url) < until:
                    time.sleep(0.002)
                if process.poll() is not None:
                    break  # it ended before the kill
                time.sleep(rng.uniform(0, 0.01))
                process.kill()
                process.communicate()
                done, in_flight = done + 1, in_flight + width
            stdout = start_command(command, folder, url, 16).communicate()[0]
            requests = count_requests(url)
        results.append(command.result(folder, stdout))
    return {
        "kills": done,
        "same": int(results[0] == results[1] and len(results[0]) > 0),
        "again": requests - ROWS,
        "in_flight": in_flight,
    }


def measure_kills(command: Command, kills: int, runs: int) -> tuple[str, ...]:
    """Kill several runs of a command, and return their row of the table."""
    with tempfile.TemporaryDirectory() as name:
        ran = [
            compare_with_kills(command, seed, kills // runs, Path(name)) for seed in range(runs)
        ]
    total = {key: sum(run[key] for run in ran) for key in ran[0]}
    row = (
        command.name,
        str(runs),
        str(total["kills"]),
        f"{total['same']} of {runs}",
        f"{total['again']:,} of {runs * ROWS:,}",
        f"{total['in_flight']:,}",
    )
    sys.stderr.write(" | ".join(row) + "\n")
    return row


def main(arguments: list[str]) -> None:
    """Measure and publish."""
    parser = argparse.ArgumentParser(description=__doc__, prog="benchmarks.kills")
    parser.add_argument("--kills", type=int, default=100, help="of evaluations, and of batches")
    parser.add_argument("--runs", type=int, default=4, help="of each command, killed in turns")
    options = parser.parse_args(arguments)
    rows: list[tuple[str, ...]] = [
        ("command", "runs", "kills", "same result", "requests sent again", "most in flight")
    ]
    with ThreadPoolExecutor(len(KILLED)) as pool:
        measured = [
            pool.submit(measure_kills, command, options.kills // share, options.runs)
            for command, share in KILLED.items()
        ]
        rows += [row.result() for row in measured]
    publish_section(
        "promises",
        COMMANDS,
        f"`python -m benchmarks.kills --kills {options.kills} --runs {options.runs}`; "
        f"{machine()}; {versions('langprog')}; {ROWS:,} rows on a canned endpoint that takes "
        f"{LATENCY * 1000:g} ms. A command is killed (kill -9) after a random number of requests "
        "and given again with another width, until it was killed often enough; then it is let "
        "end. What it came to is compared with an undisturbed run. Requests that were in flight "
        "at a kill may be sent again.\n\n"
        f"{table(rows)}",
    )


if __name__ == "__main__":
    main(sys.argv[1:])
