"""``langprog demo``: the whole journey on the embedded model, no key, no network."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from langprog.cli.compiling import say_result
from langprog.cli.console import shower
from langprog.cli.loading import named
from langprog.errors import InputError, LangprogError
from langprog.example import load_examples
from langprog.runtime import using

PROGRAM = "programs.tickets:triage"
NEXT = """
What next, with your own model:
  OpenAI   export OPENAI_API_KEY=...          and --lm openai/gpt-4.1-mini
  Ollama   ollama pull llama3.2               and --lm ollama/llama3.2
  vLLM     vllm serve Qwen/Qwen3-8B           and --lm vllm/Qwen/Qwen3-8B

  langprog compile programs.tickets:triage --metric programs.tickets:metric \\
      --train {train} \\
      --val {validation} \\
      --holdout {holdout} \\
      --lm openai/gpt-4.1-mini --dollars 2 --out triage.json
  langprog show {artifact}
  langprog run {artifact} --input '{{"ticket": "my invoice is wrong"}}'
"""


def demo(
    out: Annotated[str, typer.Option(help="Folder for artifact, report and journal.")] = (
        "langprog-demo"
    ),
    lm: Annotated[str, typer.Option(help="The model.")] = "pocket/small",
    seed: Annotated[int, typer.Option(help="Decides everything random.")] = 0,
    fresh: Annotated[bool, typer.Option(help="Forget an earlier run in the same folder.")] = True,
) -> int:
    """Compile a two-module ticket program on the embedded model, and run the artifact."""
    console = Console(highlight=False, soft_wrap=True)
    folder = Path(out)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"--out: {out} cannot be made: {error.strerror}") from None
    if fresh:
        (folder / "run" / "journal.jsonl").unlink(missing_ok=True)
    tickets = importlib.import_module(PROGRAM.partition(":")[0])
    parts = {name: tickets.records(name) for name in ("train", "validation", "holdout", "new")}
    started = time.perf_counter()
    compiled = _compile(console, tickets, parts, folder, lm, seed)
    artifact, report = folder / "triage.json", folder / "triage.html"
    compiled.save(artifact)
    compiled.report.save(report)
    console.print()
    say_result(compiled, artifact)
    console.print(f"report          {report}", markup=False)
    console.print(f"time            {time.perf_counter() - started:.0f} s")
    _run_fresh(console, artifact, parts["new"], folder / "new.out.jsonl")
    shown = {name: _short(path) for name, path in parts.items()}
    console.print(NEXT.format(artifact=artifact, **shown), markup=False)
    if compiled.certificate.verdict != "certified":
        console.print("No gain could be certified this time.", style="bold")
        return 1
    return 0


def _compile(
    console: Console, tickets: Any, parts: dict[str, Path], folder: Path, lm: str, seed: int
) -> Any:
    data = {name: load_examples(parts[name]) for name in ("train", "validation", "holdout")}
    program = named(PROGRAM, "PROGRAM")
    sizes = ", ".join(f"{len(rows)} {name}" for name, rows in data.items())
    console.print(f"{sum(map(len, data.values()))} hand-written support tickets ({sizes})")
    console.print("program:", ", ".join(f"{k} ({v})" for k, v in _shapes(program)), markup=False)
    console.print(f"model:   {lm}; instructions and demonstrations are searched together\n")
    optimizers = importlib.import_module("optimizers")
    show = shower(optimizers.event_to_json, as_json=False)
    try:
        with using(lm=lm):
            return optimizers.MIPRO(auto="light").compile(
                program,
                data["train"],
                metric=tickets.metric,
                valset=data["validation"],
                holdout=data["holdout"],
                run_dir=folder / "run",
                seed=seed,
                progress=show,
            )
    finally:
        show.close()


def _shapes(program: Any) -> list[tuple[str, str]]:
    return [
        (path, f"{', '.join(predictor.inputs)} -> {', '.join(predictor.outputs)}")
        for path, predictor in program.predictors().items()
    ]


def _run_fresh(console: Console, artifact: Path, new: Path, results: Path) -> None:
    """Run the artifact on new tickets in a process of its own, as any user of it would."""
    results.unlink(missing_ok=True)
    command = ["run", str(artifact), "--batch", str(new), "--out", str(results)]
    console.print(f"\nin a fresh process: langprog {' '.join(command)}", markup=False)
    done = subprocess.run(
        [sys.executable, "-m", "langprog", *command], check=False, capture_output=True, text=True
    )
    if done.returncode != 0:
        raise LangprogError(f"the artifact did not run in a fresh process: {done.stderr.strip()}")
    for ticket, line in zip(load_examples(new), results.read_text().splitlines(), strict=True):
        outputs = json.loads(line).get("outputs") or json.loads(line)
        console.print(f"  {ticket.ticket}", markup=False)
        console.print(f"    -> {', '.join(f'{k}={v}' for k, v in outputs.items())}", markup=False)


def _short(path: Path) -> str:
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)
