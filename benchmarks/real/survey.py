"""What the model can do before anything is compiled: adapters, instructions, demonstrations.

No full cross: two adapters with the plain instruction and no demonstrations; then, under the
better one, two more instructions, sets of demonstrations with the plain one, and the same program
once more: with requests computed together, a server's answers at temperature 0 are not always the
same.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import langprog as lp
from benchmarks.measured import Checkpoint, table
from benchmarks.real.programs import PLAIN, TASKS, WRITTEN, load_task, metric_of
from benchmarks.real.server import SLOTS
from benchmarks.tasks.intents import Task
from langprog.evaluation import mean_interval
from langprog.lm import LanguageModel

ROWS, SEED = 100, 0
ADAPTERS = ("json", "chat")
INSTRUCTIONS = ("terse", "plain", "detailed")
DEMOS, SETS = (4, 8), 2


@dataclass(frozen=True, slots=True)
class Cell:
    """One program on one task.

    Args:
        task: Name of the task.
        adapter: Name of the adapter.
        instruction: Place in ``INSTRUCTIONS``.
        demos: Number of demonstrations.
        draw: Which set of that number; without demonstrations, which run of the same program.
    """

    task: str
    adapter: str
    instruction: int = PLAIN
    demos: int = 0
    draw: int = 0

    @property
    def name(self) -> str:
        """Task, adapter, instruction and demonstrations."""
        again = ", again" if self.draw else ""
        shown = (
            f"{self.demos} demonstrations, set {self.draw + 1}"
            if self.demos
            else f"zero-shot{again}"
        )
        return f"{self.task}: {self.adapter}, {INSTRUCTIONS[self.instruction]}, {shown}"


def first_cells(task: str) -> list[Cell]:
    """List the cells that decide which adapter is better on a task."""
    return [Cell(task, adapter) for adapter in ADAPTERS]


def later_cells(task: str, adapter: str) -> list[Cell]:
    """List the other cells of a task, under its better adapter."""
    others = [number for number in range(len(INSTRUCTIONS)) if number != PLAIN]
    return [
        *(Cell(task, adapter, number) for number in others),
        *(Cell(task, adapter, PLAIN, demos, draw) for demos in DEMOS for draw in range(SETS)),
        Cell(task, adapter, draw=1),
    ]


def run_survey(kept: Checkpoint, folder: Path, model: LanguageModel) -> None:
    """Measure every cell that is not kept yet.

    Args:
        kept: Finished cells.
        folder: The folder of the public data sets.
        model: The model.
    """
    tasks = {name: load_task(name, folder, SEED) for name in TASKS}
    for adapter in ADAPTERS:
        for name, task in tasks.items():
            cell = Cell(name, adapter)
            kept.measure_once(cell.name, partial(measure, cell, task, model))
    for name, task in tasks.items():
        for cell in later_cells(name, better_adapter(kept, name)):
            kept.measure_once(cell.name, partial(measure, cell, task, model))


def better_adapter(kept: Checkpoint, task: str) -> str:
    """Return the adapter with more right answers without demonstrations."""
    return max(first_cells(task), key=lambda cell: kept[cell.name]["hits"].count("1")).adapter


def measure(cell: Cell, task: Task, model: LanguageModel) -> dict[str, Any]:
    """Run a cell's program on validation rows, which nothing else of the survey uses."""
    signature = task.signature.with_instruction(WRITTEN[cell.task][cell.instruction])
    demos = random.Random(cell.draw).sample(task.train, cell.demos) if cell.demos else []
    started = time.perf_counter()
    with lp.using(lm=model, adapter=cell.adapter):
        report = lp.evaluate(
            lp.Predict(signature, demos=demos),
            task.validation[:ROWS],
            metric_of(task),
            concurrency=SLOTS,
        )
    scores = [0.0 if row.score is None else row.score.value for row in report.rows]
    return {
        "hits": "".join("1" if score else "0" for score in scores),
        "missing": report.n_missing,
        "failures": report.failures_by_kind,
        "tokens": report.tokens / len(scores),
        "seconds": round(time.perf_counter() - started, 1),
    }


def format_survey(kept: Checkpoint, folder: Path) -> str:
    """Return the survey's table, as far as it is measured."""
    rows: list[tuple[str, ...]] = [("task", "program", "right", "unreadable", "tokens a query")]
    missing = []
    for name in TASKS:
        if not all(cell.name in kept for cell in first_cells(name)):
            missing.append(name)
            continue
        task = load_task(name, folder, SEED)
        rows.append((name, "always the most frequent label", _guess(task), "", ""))
        cells = [*first_cells(name), *later_cells(name, better_adapter(kept, name))]
        rows += [_row(cell, kept[cell.name]) for cell in cells if cell.name in kept]
        missing += [cell.name for cell in cells if cell.name not in kept]
    lines = [table(rows), _describe_repeats(kept)]
    lines += [f"Not measured yet: {'; '.join(missing)}."] if missing else []
    return "\n\n".join(line for line in lines if line)


def _describe_repeats(kept: Checkpoint) -> str:
    """Return how many answers of the same program differ between two runs."""
    parts = []
    for name in TASKS:
        if not all(cell.name in kept for cell in first_cells(name)):
            continue
        adapter = better_adapter(kept, name)
        first, again = Cell(name, adapter), Cell(name, adapter, draw=1)
        if again.name in kept:
            pairs = zip(kept[first.name]["hits"], kept[again.name]["hits"], strict=True)
            parts.append(f"{name} {sum(left != right for left, right in pairs)}")
    if not parts:
        return ""
    return f"The same program twice, answers of {ROWS} that became right or wrong: " + (
        f"{', '.join(parts)}."
    )


def _guess(task: Task) -> str:
    (label,) = task.signature.outputs
    rows = task.validation[:ROWS]
    return f"{Counter(row[label] for row in rows).most_common(1)[0][1] / len(rows):.2f}"


def _row(cell: Cell, result: dict[str, Any]) -> tuple[str, ...]:
    hits = [float(hit) for hit in result["hits"]]
    low, high = mean_interval(hits)
    return (
        cell.task,
        cell.name.partition(": ")[2],
        f"{sum(hits) / len(hits):.2f} [{low:.2f}, {high:.2f}]",
        str(result["failures"].get("parse", 0) + result["failures"].get("truncated", 0)),
        f"{result['tokens']:.0f}",
    )
