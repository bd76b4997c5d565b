"""Every ready-made program in one table: uncompiled, compiled, dollars, certificate.

Usage: python -m benchmarks.programs [--only NAME,NAME] [--runs 400] [--rows 45] [--seed 0]
           [--keep FOLDER] [--publish]

Each program is compiled by ``Compiler``, or ``Evolve`` where it has no predictors, on its own
examples, on the embedded model where that can do the task, else on a scripted one
(benchmarks/programs/scripted), whose prices and scores are made up: its rows show that the program
compiles, and nothing about language models. A finished program is kept in FOLDER, so that a
stopped run can be resumed; ``--publish`` writes what is measured so far.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import langprog as lp
from benchmarks.measured import Checkpoint, machine, publish, table, versions
from benchmarks.programs.scripted import has_script, load_script
from langprog.errors import LangprogError
from langprog.lm import MemoryCache
from optimizers import Compiler, Evolve
from programs import list_programs

EMBEDDED = "pocket/small"
HEAD = ("program", "model", "holdout", "uncompiled", "compiled", "calls", "dollars", "certificate")


def model_for(name: str) -> lp.ScriptedLM | Any:
    """Return the model that a program is measured on."""
    if has_script(name):
        return lp.ScriptedLM(load_script(name), dollars=0.0001)
    return lp.LM(EMBEDDED, cache=MemoryCache())


def measure(name: str, options: argparse.Namespace) -> dict[str, Any]:
    """Compile a program on its own examples."""
    file = importlib.import_module(f"programs.{name}")
    model, started = model_for(name), time.perf_counter()
    optimizer = Compiler() if file.program.predictors() else Evolve(concurrency=8)
    calls = options.runs * max(1, file.program.calls_per_example())
    try:
        with lp.using(lm=model):
            compiled = optimizer.compile(
                file.program,
                list(file.examples())[: options.rows],
                metric=file.metric,
                budget=lp.Budget(calls=calls),
                seed=options.seed,
            )
    except LangprogError as error:
        return {"failure": f"{type(error).__name__}: {error}"}
    certificate, paid = compiled.certificate, compiled.report.paid
    return {
        "model": "scripted" if has_script(name) else EMBEDDED,
        "n": certificate.n,
        "before": None if certificate.before is None else str(certificate.before),
        "after": None if certificate.after is None else str(certificate.after),
        "calls": paid.calls,
        "dollars": paid.dollars,
        "verdict": certificate.verdict,
        "p": certificate.p_value,
        "seconds": time.perf_counter() - started,
    }


def format_row(name: str, result: dict[str, Any]) -> tuple[str, ...]:
    """Return a program's row of the table."""
    if "failure" in result:
        return (name, *[""] * (len(HEAD) - 2), f"not compiled: {result['failure']}")
    dollars = "unknown" if result["dollars"] is None else f"{result['dollars']:.4f}"
    proof = "" if result["p"] is None else f", p = {result['p']:.2g}"
    return (
        name,
        result["model"],
        str(result["n"]),
        result["before"] or "",
        result["after"] or "",
        f"{result['calls']:,}",
        dollars,
        f"{result['verdict']}{proof}",
    )


def main() -> None:
    """Compile every program and publish the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="names of programs, by commas")
    parser.add_argument("--runs", type=int, default=400, help="of a program, at its most calls")
    parser.add_argument("--rows", type=int, default=45, help="examples of each program, at most")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", default="")
    parser.add_argument("--publish", action="store_true", help="write what is measured so far")
    options = parser.parse_args()
    names = [info.name for info in list_programs()]
    if options.only:
        names = [name for name in options.only.split(",") if name]
    folder = Path(options.keep or ".")
    folder.mkdir(parents=True, exist_ok=True)
    key = f"{options.runs} runs, {options.rows}, {options.seed}"
    kept = Checkpoint(folder / "programs.jsonl") if options.keep else None
    rows: list[tuple[str, ...]] = [HEAD]
    missing = []
    for name in names:
        place, compile_once = f"{name}, {key}", partial(measure, name, options)
        if options.publish and (kept is None or place not in kept):
            missing.append(name)
            continue
        result = compile_once() if kept is None else kept.measure_once(place, compile_once)
        rows.append(format_row(name, result))
    open_ones = f"Not measured yet: {', '.join(missing)}." if missing else "All are measured."
    text = "\n\n".join((_introduction(options), table(rows), open_ones))
    if options.only:
        sys.stdout.write(text + "\n")
    else:
        publish("programs", text)


def _introduction(options: argparse.Namespace) -> str:
    return (
        "# The ready-made programs, uncompiled and compiled\n\n"
        f"`python -m benchmarks.programs --runs {options.runs} --rows {options.rows} "
        f"--seed {options.seed}`: `Compiler` (`Evolve` without predictors) on at most "
        f"{options.rows} of each program's own examples, with the calls of {options.runs} runs, "
        "one seed. A row says on how many distinct inputs that the search did not see (holdout) "
        "both were compared; intervals are at 95 %. *Compiled* is what the search found; with the "
        "verdict *original*, the program ships as it was, as no gain could be certified on few "
        "rows. A scripted model reads the prompt and makes up its prices and mistakes (fewer with "
        "demonstrations): such a row shows that the program, its compile and its artifact work, "
        "and nothing about language models. Prices of the embedded model are nominal.\n\n"
        f"Machine: {machine()}. {versions('langprog')}."
    )


if __name__ == "__main__":
    main()
