"""Load mutants of artifacts: none may hang, run code, fill memory or raise other exceptions.

Usage: python -m benchmarks.fuzz_artifacts [--mutants 1000000] [--seed 0] [--workers 1]

A mutant either loads and renders its prompts, or raises an ArtifactError of one clean line (on
use: any error of langprog's). A stopped run is resumed from its checkpoint. ``--show N`` judges
only the mutant N and prints it. ``--night`` is for nightly runs (``make nightly``): it has its own
seed and appends its result to results/fuzz_nights.csv.
"""

from __future__ import annotations

import argparse
import faulthandler
import json
import os
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.fuzz_judge import LONGEST, Watch, judge, learn, peak_memory
from benchmarks.fuzz_mutants import make_mutant
from benchmarks.fuzz_originals import make_originals
from benchmarks.measured import RESULTS, machine, publish, table, versions

CHUNK = 500
NIGHTS = "seed,mutants,troubles,megabytes"
_CHUNKS_OF_A_PROCESS = 20


@dataclass
class Tally:
    """Outcomes of many mutants.

    Args:
        outcomes: Counts by the name of the outcome.
        troubles: Descriptions of mutants that broke a rule, by number.
        memory: Peak memory of a process, in MB.
        done: The finished chunks.
    """

    outcomes: Counter[str] = field(default_factory=Counter)
    troubles: dict[int, str] = field(default_factory=dict)
    memory: float = 0.0
    done: set[int] = field(default_factory=set)

    def add(self, chunk: int, result: dict[str, Any]) -> None:
        """Count a chunk."""
        self.outcomes.update(result["outcomes"])
        self.troubles.update({int(key): text for key, text in result["troubles"].items()})
        self.memory = max(self.memory, result["memory"])
        self.done.add(chunk)

    def write(self, path: Path) -> None:
        """Write it to a file, so that a run can be resumed."""
        data = {
            "outcomes": dict(self.outcomes),
            "troubles": self.troubles,
            "memory": self.memory,
            "done": sorted(self.done),
        }
        beside = path.with_suffix(".new")
        beside.write_text(json.dumps(data), encoding="utf-8")
        os.replace(beside, path)

    @classmethod
    def read(cls, path: Path) -> Tally:
        """Read the tally of an earlier run."""
        if not path.exists():
            return cls()
        data = json.loads(path.read_text(encoding="utf-8"))
        troubles = {int(key): text for key, text in data["troubles"].items()}
        return cls(Counter(data["outcomes"]), troubles, data["memory"], set(data["done"]))


def judge_range(watch: Watch, seed: int, start: int, stop: int) -> dict[str, Any]:
    """Judge the mutants from ``start`` to ``stop``; return outcomes, troubles and memory."""
    outcomes: Counter[str] = Counter()
    troubles: dict[int, str] = {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mutant.json"
        for number in range(start, stop):
            path.write_bytes(make_mutant(seed, number))
            faulthandler.dump_traceback_later(6 * LONGEST, exit=True)  # where no signal helps
            outcome, trouble = judge(watch, path, number)
            faulthandler.cancel_dump_traceback_later()
            outcomes[outcome] += 1
            if trouble:
                troubles[number] = f"{outcome}: {trouble}"
    return {"outcomes": outcomes, "troubles": troubles, "memory": peak_memory()}


def _work(seed: int, chunks: list[int], size: int) -> None:
    """Judge chunks in this process, one line of JSON for each."""
    watch = Watch()
    learn(watch)
    for chunk in chunks:
        result = judge_range(watch, seed, chunk * size, (chunk + 1) * size)
        sys.stdout.write(json.dumps({"chunk": chunk, **result}) + "\n")
        sys.stdout.flush()


class Run:
    """Processes that judge chunks until none is left."""

    def __init__(self, seed: int, mutants: int, checkpoint: Path) -> None:
        self._seed, self._checkpoint = seed, checkpoint
        self.tally = Tally.read(checkpoint)
        self._left = [n for n in range(mutants // CHUNK) if n not in self.tally.done][::-1]
        self._lock = threading.Lock()

    def start(self, workers: int) -> None:
        """Judge all remaining chunks."""
        threads = [threading.Thread(target=self._feed) for _ in range(workers)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _feed(self) -> None:
        while True:
            with self._lock:
                chunks = [self._left.pop() for _ in range(_CHUNKS_OF_A_PROCESS) if self._left]
            if not chunks:
                return
            through = self._process(chunks, CHUNK)
            unfinished = [chunk for chunk in chunks if chunk not in through]
            if unfinished:
                self._handle_crash(unfinished)

    def _process(self, chunks: list[int], size: int) -> set[int]:
        command = [sys.executable, "-m", "benchmarks.fuzz_artifacts", "--seed", str(self._seed)]
        command += ["--size", str(size), "--chunks", *map(str, chunks)]
        through: set[int] = set()
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            for line in process.stdout:
                result = json.loads(line)
                through.add(result["chunk"])
                with self._lock:
                    if size == CHUNK:
                        self.tally.add(result["chunk"], result)
                        self.tally.write(self._checkpoint)
                        done = f"{len(self.tally.done) * CHUNK:,} mutants"
                        sys.stderr.write(f"\r{done}, {len(self.tally.troubles)} troubles ")
        return through

    def _handle_crash(self, unfinished: list[int]) -> None:
        """Record that a process died on the first of these chunks, and queue the others again."""
        with self._lock:
            chunk, self._left = unfinished[0], [*self._left, *reversed(unfinished[1:])]
            result = {
                "outcomes": {"process died": CHUNK},
                "troubles": {
                    chunk * CHUNK: f"the process died on this or one of the next {CHUNK}"
                },
                "memory": 0.0,
            }
            self.tally.add(chunk, result)
            self.tally.write(self._checkpoint)


def _report(tally: Tally, seed: int) -> str:
    count = tally.outcomes.total()
    rows: list[tuple[str, ...]] = [("outcome", "mutants", "share")]
    for outcome, times in tally.outcomes.most_common():
        rows.append((outcome, f"{times:,}", f"{times / count:.2%}"))
    hangs = tally.outcomes["hang"] + tally.outcomes["process died"]
    text = (
        "# Artifacts that were changed\n\n"
        f"`python -m benchmarks.fuzz_artifacts --mutants {count} --seed {seed}`; {machine()}; "
        f"{versions('langprog', 'pydantic')}; mutants of {len(make_originals())} artifacts, nine "
        "of ten with a digest that fits. A mutant is loaded, with nothing, with classes or with a "
        "module handed over, and its prompts are rendered.\n\n"
        f"{table(rows)}\n\n"
        f"{hangs} hangs ({LONGEST:g} s of processor time), {tally.outcomes['execution']} "
        f"executions (an audit hook hears code, imports, writing, processes and sockets), "
        f"mutants that broke a rule: {len(tally.troubles)}; at most {tally.memory:,.0f} MB "
        "of memory."
    )
    lines = [f"- {number}: `{words[-300:]!r}`" for number, words in sorted(tally.troubles.items())]
    return "\n".join([text, "", *lines[:50]]).rstrip()


def _end_night(tally: Tally, seed: int) -> int:
    """Append a night to the results; return 1 if a mutant broke a rule."""
    path = RESULTS / "fuzz_nights.csv"
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else [NIGHTS]
    kept = [line for line in lines if line.split(",")[0] != str(seed)]
    night = [seed, tally.outcomes.total(), len(tally.troubles), round(tally.memory)]
    kept.append(",".join(map(str, night)))
    path.write_text("\n".join(kept) + "\n", encoding="utf-8")
    total = sum(int(line.split(",")[1]) for line in kept[1:])
    for number, words in sorted(tally.troubles.items()):
        sys.stdout.write(f"mutant {number} of seed {seed}: {words}\n")
    sys.stdout.write(f"{night[1]:,} mutants, {night[2]} troubles; {total:,} in all nights\n")
    return int(bool(tally.troubles))


def _show(seed: int, number: int) -> None:
    watch = Watch()
    learn(watch)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mutant.json"
        path.write_bytes(make_mutant(seed, number))
        sys.stdout.write(path.read_text(encoding="utf-8", errors="replace")[:5000] + "\n")
        sys.stdout.write("\n".join(judge(watch, path, number)) + "\n")


def main(arguments: list[str]) -> None:
    """Judge mutants and publish."""
    parser = argparse.ArgumentParser(description=__doc__, prog="benchmarks.fuzz_artifacts")
    parser.add_argument("--mutants", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--checkpoint", type=Path, help="by default in the temporary folder")
    parser.add_argument("--show", type=int, help="judge this mutant alone")
    parser.add_argument("--report", action="store_true", help="publish what the checkpoint has")
    parser.add_argument("--night", action="store_true", help="add to the nights; 1 for trouble")
    parser.add_argument("--chunks", type=int, nargs="+", help=argparse.SUPPRESS)
    parser.add_argument("--size", type=int, default=CHUNK, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.show is not None:
        _show(options.seed, options.show)
        return
    if options.chunks:
        _work(options.seed, options.chunks, options.size)
        return
    default = Path(tempfile.gettempdir()) / f"langprog-fuzz-{options.seed}.json"
    run = Run(options.seed, options.mutants, options.checkpoint or default)
    if not options.report:
        run.start(options.workers)
    if options.night:
        sys.exit(_end_night(run.tally, options.seed))
    publish("fuzz_artifacts", _report(run.tally, options.seed))


if __name__ == "__main__":
    main(sys.argv[1:])
