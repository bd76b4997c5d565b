"""Run programs on two sizes of the embedded model, for the replay of ports.

Usage: python -m benchmarks.replay.port_pocket FILE [--seeds 1] [--rows 200] [--sizes small,medium]

Every program shows eight examples; both models answer the same other rows of its task. FILE gets
a line for each task and seed: the scores of every row. Finished ones are not run again.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import langprog as lp
from benchmarks.tasks.generated import TASKS, make_task

SHOWN = 8


def run_task(name: str, seed: int, count: int, sizes: list[str]) -> dict[str, object]:
    """Return the scores of both models on some rows of a task."""
    task = make_task(name, seed)
    shown, rows = task.data[:SHOWN], [*task.test, *task.data[SHOWN:]][:count]
    program = task.program.with_parameters(
        {f"{path}.demos": list(shown) for path in task.program.predictors()}
    )
    scores = {}
    for size in sizes:
        report = lp.evaluate(program, rows, task.metric, lm=f"pocket/{size}")
        scores[f"pocket/{size}"] = [
            0.0 if row.score is None else row.score.value for row in report.rows
        ]
    return {"task": name, "seed": seed, "models": list(scores), "scores": scores}


def main(arguments: list[str]) -> None:
    """Run what the file does not have yet."""
    parser = argparse.ArgumentParser(description=__doc__, prog="benchmarks.replay.port_pocket")
    parser.add_argument("file", type=Path)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--rows", type=int, default=200)
    parser.add_argument("--sizes", default="small,medium")
    options = parser.parse_args(arguments)
    lines = options.file.read_text().splitlines() if options.file.exists() else []
    done = {(each["task"], each["seed"]) for each in map(json.loads, lines)}
    for seed in range(options.seeds):
        for name in TASKS:
            if (name, seed) in done:
                continue
            result = run_task(name, seed, options.rows, options.sizes.split(","))
            with options.file.open("a") as file:
                file.write(json.dumps(result) + "\n")
            sys.stderr.write(f"{name}, seed {seed}: done\n")


if __name__ == "__main__":
    main(sys.argv[1:])
