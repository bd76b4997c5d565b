"""Assign a model to every module: compare searches with single models and all assignments.

Usage: python -m benchmarks.assignment [--seeds 3] [--first 7000] [--programs 3] [--keep FOLDER]

Programs of two to four modules on the three sizes of the embedded model, whose prices are
nominal. Each finished program and seed is kept in FOLDER, so that a stopped run can be resumed.
Measurements of one program and seed share a cache, which changes no answer and no count.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import langprog as lp
from benchmarks.measured import machine, publish, table, versions, with_interval
from benchmarks.tasks.chained import NAMES, Chained, make_task, metric
from langprog.lm import LanguageModel, MemoryCache
from optimizers import Compiler, LLMSelector, Optimizer

SIZES = ("small", "medium", "large")
MODELS = tuple(f"pocket/{size}" for size in SIZES)
TRAIN, VALIDATION, HOLDOUT, TEST = 40, 120, 80, 300
TOLERANCE = 0.02
COMPILER_CALLS = 1500


def make_models(cache: MemoryCache) -> list[LanguageModel]:
    """Return the three sizes on one cache."""
    return [lp.LM(name, cache=cache) for name in MODELS]


def measure(program: lp.Module, task: Chained) -> dict[str, Any]:
    """Return accuracy and dollars per thousand queries on the test part."""
    report = lp.evaluate(program, task.test, metric)
    dollars = sum(row.usage.dollars or 0.0 for row in report.rows)
    return {"accuracy": report.mean, "dollars": 1000 * dollars / len(report.rows)}


def measure_single_models(task: Chained) -> dict[str, dict[str, Any]]:
    """Measure each model used for all modules."""
    results = {}
    for name in MODELS:
        with lp.using(lm=name):
            results[f"{name} everywhere"] = measure(task.program, task)
    return results


def try_every_assignment(task: Chained) -> dict[str, Any]:
    """Try every assignment on validation, and return the best."""
    validation = task.data[TRAIN : TRAIN + VALIDATION]
    keys = [f"{path}.model" for path in task.program.predictors()]
    results, calls, paid = {}, 0, 0
    for point in product(MODELS, repeat=len(keys)):
        program = task.program.with_parameters(dict(zip(keys, point, strict=True)))
        report = lp.evaluate(program, validation, metric)
        calls += sum(row.usage.calls for row in report.rows)
        paid += sum(row.usage.calls - row.usage.cached_calls for row in report.rows)
        dollars = sum(row.usage.dollars or 0.0 for row in report.rows)
        results[point] = (report.mean, -dollars)
    best = max(results, key=results.__getitem__)
    program = task.program.with_parameters(dict(zip(keys, best, strict=True)))
    return {
        **measure(program, task),
        "calls": calls,
        "distinct": paid,
        "models": _list_models(program),
    }


def run_search(optimizer: Optimizer, task: Chained, seed: int) -> dict[str, Any]:
    """Return the result of an optimizer that starts from the largest model."""
    with lp.using(lm=MODELS[-1]):
        compiled = optimizer.compile(
            task.program,
            task.data[:TRAIN],
            valset=task.data[TRAIN : TRAIN + VALIDATION],
            holdout=task.data[TRAIN + VALIDATION :],
            metric=metric,
            budget=lp.Budget(calls=COMPILER_CALLS) if isinstance(optimizer, Compiler) else None,
            seed=seed,
        )
        calls = compiled.report.evidence.searched.calls
        program = compiled.candidate.apply(task.program)
        results = measure(program, task)
        named = _list_models(program)
    return {
        **results,
        "calls": calls,
        "distinct": calls,
        "models": named,
        "verdict": compiled.certificate.verdict,
    }


def _list_models(program: lp.Module) -> list[str]:
    chosen = [str(predictor.model or MODELS[-1]) for predictor in program.predictors().values()]
    return [name.removeprefix("pocket/") for name in chosen]


def run_everything(name: str, seed: int) -> dict[str, Any]:
    """Return everything for one program and seed."""
    task = make_task(name, seed, known=TRAIN + VALIDATION + HOLDOUT, test=TEST)
    members = {
        "LLMSelector": LLMSelector(models=MODELS, exhaustive=1),
        "LLMSelector, cost": LLMSelector(
            models=MODELS, exhaustive=1, objective="cost", tolerance=TOLERANCE
        ),
        "Compiler": Compiler(models=MODELS),
        "Compiler, cost": Compiler(models=MODELS, objective="cost", tolerance=TOLERANCE),
    }
    with lp.using(models=make_models(MemoryCache())):
        # First, so that its distinct requests are counted before anything is cached.
        every = try_every_assignment(task)
        results = {**measure_single_models(task), "every assignment": every}
        for title, member in members.items():
            results[title] = run_search(member, task, seed)
            sys.stderr.write(f"{name} {seed} {title}: {results[title]}\n")
    return results


def format_section(name: str, runs: Sequence[Mapping[str, Any]]) -> str:
    """Return the table of one program."""
    rows: list[tuple[str, ...]] = [
        ("", "accuracy, %", "dollars a 1,000", "calls", "distinct calls", "models")
    ]
    for title in runs[0]:
        cells = [run[title] for run in runs]
        rows.append(
            (
                title,
                with_interval([100 * cell["accuracy"] for cell in cells], ".1f"),
                f"{statistics.fmean(cell['dollars'] for cell in cells):.4f}",
                *(
                    f"{statistics.fmean(cell[key] for cell in cells):,.0f}"
                    if key in cells[0]
                    else ""
                    for key in ("calls", "distinct")
                ),
                "; ".join(" ".join(cell["models"]) for cell in cells if "models" in cell),
            )
        )
    return f"## {name}\n\n{table(rows)}\n\n{_format_verdict(runs)}"


def _format_verdict(runs: Sequence[Mapping[str, Any]]) -> str:
    single = [max(run[f"{name} everywhere"]["accuracy"] for name in MODELS) for run in runs]
    most = [run["every assignment"]["accuracy"] for run in runs]
    gain = _format_points(most, single)
    lines = []
    for title in ("LLMSelector", "Compiler"):
        ours = [run[title]["accuracy"] for run in runs]
        calls = sum(run[title]["calls"] for run in runs)
        whole, distinct = (
            sum(run["every assignment"][key] for run in runs) for key in ("calls", "distinct")
        )
        lines.append(
            f"- {title}: {_format_points(ours, single)} points over the best single model, where "
            f"trying every assignment gives {gain}; {calls / whole:.0%} of its calls, "
            f"{calls / distinct:.0%} of its distinct ones."
        )
    largest = [run[f"{MODELS[-1]} everywhere"] for run in runs]
    for title in ("LLMSelector, cost", "Compiler, cost"):
        ours = [run[title]["accuracy"] for run in runs]
        dollars = sum(run[title]["dollars"] for run in runs) / sum(
            run["dollars"] for run in largest
        )
        points = _format_points(ours, [run["accuracy"] for run in largest])
        lines.append(
            f"- {title}: {points} points against the largest model everywhere, at {dollars:.0%} "
            "of its dollars."
        )
    return "\n".join(lines)


def _format_mixed(runs: Sequence[Mapping[str, Any]]) -> str:
    best = [run["every assignment"]["models"] for run in runs]
    mixed = sum(len(set(names)) > 1 for names in best)
    return f"The best of all assignments is a mixed one in {mixed} of {len(best)} cases."


def _format_points(ours: Sequence[float], theirs: Sequence[float]) -> str:
    return with_interval([100 * (a - b) for a, b in zip(ours, theirs, strict=True)], "+.1f")


def main(arguments: list[str]) -> None:
    """Measure every program, and publish."""
    parser = argparse.ArgumentParser(description=__doc__, prog="benchmarks.assignment")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first", type=int, default=7000)
    parser.add_argument(
        "--programs", type=int, default=len(NAMES), help="how many of the programs"
    )
    parser.add_argument("--keep", default=None)
    options = parser.parse_args(arguments)
    keep = Path(options.keep or tempfile.mkdtemp())
    keep.mkdir(parents=True, exist_ok=True)
    sections, everything = [], []
    for name in NAMES[: options.programs]:
        runs = []
        for seed in range(options.first, options.first + options.seeds):
            path = keep / f"{name.replace(', ', '-')}-{seed}.json"
            if not path.exists():
                path.write_text(json.dumps(run_everything(name, seed)), encoding="utf-8")
            runs.append(json.loads(path.read_text(encoding="utf-8")))
        sections.append(format_section(name, runs))
        everything += runs
    publish(
        "assignment",
        "# A model for every module\n\n"
        f"`python -m benchmarks.assignment --seeds {options.seeds} --first {options.first} "
        f"--programs {options.programs}`; "
        f"{machine()}; {versions('langprog', 'numpy')}; seeds a program: {options.seeds}, "
        f"{VALIDATION} validation and {HOLDOUT} holdout examples, accuracy on {TEST} others, "
        "mean with 95 % bootstrap interval over seeds; dollars are nominal. Calls of the "
        "optimizers are those of the search, each distinct request once; trying every assignment "
        f"is counted with and without that. Compiler, which also searches instructions and "
        f"demonstrations, has {COMPILER_CALLS:,} calls. Searches begin with the largest model "
        "everywhere. Accuracy is that of the best candidate, whether or not it was certified."
        "\n\n## All programs\n\n"
        + "\n\n".join([_format_mixed(everything), _format_verdict(everything), *sections]),
    )


if __name__ == "__main__":
    main(sys.argv[1:])
