"""Compile on real public data through the public API, and print the certificates.

Usage: python -m benchmarks.compile_real [--model pocket/small] [--calls N] [--out DIR]

CLINC150 with ten intents and BANKING77 with five; the holdout is the data set's own test part.
The data are in the folder named by LANGPROG_DATA; without it, nothing is run.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import langprog as lp
from benchmarks.measured import machine, publish, table, versions
from benchmarks.tasks.folder import data_folder, explain_missing_data
from benchmarks.tasks.intents import Task, banking77, clinc150
from langprog.evaluation import exact
from optimizers import MIPRO, Compiled

HEAD = (
    "task",
    "n",
    "before",
    "after",
    "difference",
    "p",
    "verdict",
    "what was chosen",
    "paid calls",
    "seconds",
)


def main(arguments: list[str]) -> int:
    """Compile every task and print its certificate."""
    parser = argparse.ArgumentParser(description=__doc__, prog="benchmarks.compile_real")
    parser.add_argument("--model", default="pocket/small", help="the model that is compiled for")
    parser.add_argument("--auto", default="light", choices=["light", "medium", "heavy"])
    parser.add_argument("--calls", type=int, default=None, help="most calls a task may pay")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--holdout", type=int, default=300, help="most holdout examples")
    parser.add_argument("--out", type=Path, default=None, help="folder for artifacts and reports")
    options = parser.parse_args(arguments)
    folder = data_folder()
    if folder is None:
        say(explain_missing_data())
        return 0
    tasks = [
        clinc150(folder, 10, options.seed, each=(20, 15)),
        banking77(folder, 5, options.seed, each=(40, 30)),
    ]
    lp.configure(lm=options.model)
    rows: list[tuple[str, ...]] = [HEAD]
    for task in tasks:
        started = time.perf_counter()
        compiled = compile_task(task, options)
        seconds = time.perf_counter() - started
        rows.append(make_row(task, compiled, seconds))
        say(" | ".join(rows[-1]))
        for note in compiled.report.notes:
            if note.warning:
                say(f"  note: {note.text}")
        if options.out is not None:
            save(task, compiled, options.out)
    publish(
        "compile_real",
        f"# Real data, compiled on the embedded model\n\n"
        f"`python -m benchmarks.compile_real`; {options.model}, MIPRO {options.auto}, seed "
        f"{options.seed}; {machine()}; {versions('langprog', 'numpy', 'optuna')}. Accuracy on the "
        "data sets' own test parts, of which the search saw nothing; 95 % intervals, paired "
        f"difference, one-sided exact p.\n\n{table(rows)}",
    )
    return 0


def compile_task(task: Task, options: argparse.Namespace) -> Compiled:
    """Compile one task with MIPRO."""
    return MIPRO(auto=options.auto).compile(
        lp.Predict(task.signature),
        task.train,
        metric=exact("intent"),
        valset=task.validation,
        holdout=task.holdout[: options.holdout],
        budget=lp.Budget(calls=options.calls),
        seed=options.seed,
    )


def make_row(task: Task, compiled: Compiled, seconds: float) -> tuple[str, ...]:
    """Return the result on the holdout, as a row of the table."""
    certificate, paid = compiled.certificate, compiled.report.paid
    return (
        task.name,
        str(certificate.n),
        str(certificate.before),
        str(certificate.after),
        f"{certificate.difference:+.3f} [{certificate.low:+.3f}, {certificate.high:+.3f}]",
        f"{certificate.p_value:.2g}",
        certificate.verdict,
        compiled.candidate.label,
        f"{paid.calls:,}",
        f"{seconds:.0f}",
    )


def save(task: Task, compiled: Compiled, folder: Path) -> None:
    """Write artifact and report."""
    folder.mkdir(parents=True, exist_ok=True)
    name = task.name.replace(", ", "-").replace(" ", "-")
    digest = compiled.save(folder / f"{name}.json")
    compiled.report.save(folder / f"{name}.html")
    say(f"  saved {folder / name}.json ({digest})")


def say(line: str) -> None:
    """Print a line and flush it."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
