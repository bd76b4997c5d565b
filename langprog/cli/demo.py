"""``langprog demo``: the whole workflow on the embedded model, without key or network."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from langprog.artifact import diff
from langprog.cli.compiling import Task
from langprog.cli.terminal import Terminal
from langprog.errors import InputError, LangprogError
from langprog.example import load_examples
from optimizers import MIPRO, Compiled, Demonstrating, Proposing, Searching
from programs import tickets

PROGRAM = "programs.tickets:program"
# A local server's calls have no price, so they are capped by number.
MODELS = (
    ("export OPENAI_API_KEY=...", "openai/gpt-6-luna", "--dollars 2"),
    ("ollama pull llama3.2", "ollama/llama3.2", "--calls 3000"),
    ("vllm serve Qwen/Qwen3-8B", "vllm/Qwen/Qwen3-8B", "--calls 3000"),
)
INPUT = '{"ticket": "my invoice is wrong"}'


def demo(
    out: Annotated[str, typer.Option(help="Folder for artifact, report and journal.")] = (
        "langprog-demo"
    ),
    lm: Annotated[str, typer.Option(help="The model.")] = "pocket/small",
    seed: Annotated[int, typer.Option(help="Random seed.")] = 0,
) -> int:
    """Compile a two-module ticket program on the embedded model, and run the artifact.

    An interrupted demo continues; a finished one starts anew.
    """
    terminal = Terminal()
    folder = Path(out)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"--out: {out} cannot be made: {error.strerror}") from None
    artifact = folder / "triage.json"
    parts = {name: tickets.records(name) for name in tickets.PARTS}
    train, validation, holdout = (
        load_examples(parts[name]) for name in ("train", "validation", "holdout")
    )
    task = Task(tickets.program, tickets.metric, train, validation, holdout, lm, seed)
    started = time.perf_counter()
    _introduce(terminal, task)
    member = MIPRO(
        proposing=Proposing(written=tickets.INSTRUCTIONS),
        demonstrating=Demonstrating(most=4),  # so that the prompts stay short
        searching=Searching(trials=20),  # so that it takes less than a minute
    )
    run_dir = task.run_dir(folder / "run", member)
    if artifact.exists():
        (run_dir / "journal.jsonl").unlink(missing_ok=True)
        artifact.unlink()
    compiled = task.compile(member, run_dir)
    _keep(terminal, compiled, artifact, time.perf_counter() - started)
    _run_fresh(terminal, artifact, parts["new"], folder / "new.out.jsonl")
    _say_next(terminal, parts, artifact)
    if compiled.certificate.verdict != "certified":
        terminal.say("No gain could be certified this time.", bold=True)
        return 1
    return 0


def _introduce(terminal: Terminal, task: Task) -> None:
    sizes = [len(part or ()) for part in (task.trainset, task.valset, task.holdout)]
    terminal.say(
        f"{sum(sizes)} hand-written support tickets ({sizes[0]} train, {sizes[1]} validation, "
        f"{sizes[2]} holdout)"
    )
    shapes = ", ".join(f"{path} ({shape})" for path, shape in _shapes(task.program))
    terminal.say(f"program: {shapes}")
    terminal.say(
        f"model:   {task.lm}; hand-written instructions and demonstrations are searched together"
    )
    if str(task.lm).startswith("pocket/"):
        terminal.say("It runs on this machine's processor, and takes longer where that is busy.")
    terminal.say()


def _shapes(program: Any) -> list[tuple[str, str]]:
    return [
        (path, f"{', '.join(predictor.inputs)} -> {', '.join(predictor.outputs)}")
        for path, predictor in program.predictors().items()
    ]


def _keep(terminal: Terminal, compiled: Compiled, artifact: Path, seconds: float) -> None:
    """Write the results, and show what the compile has proved and changed."""
    page, picture = artifact.with_suffix(".html"), artifact.with_suffix(".svg")
    compiled.save(artifact)
    compiled.report.save(page)
    compiled.report.save(picture)
    text = Terminal(wrap=True)
    terminal.say("\nthe certificate, from examples that no search has seen:", bold=True)
    text.say(str(compiled.certificate))
    changes = diff(tickets.program, artifact).changes
    # Words where an instruction changed, else demonstrations.
    changed = sorted(changes, key=lambda change: change.what != "instruction")
    if changed:
        terminal.say("\nthe first change of a prompt, word by word:", bold=True)
        text.say("\n".join(changed[0].lines()))
    terminal.say()
    terminal.pairs(
        [
            ("artifact", str(artifact)),
            ("report", f"{page} (in a browser)"),
            ("picture", str(picture)),
            ("took", f"{seconds:.0f} s, {compiled.report.paid.calls:,} calls of the model"),
        ]
    )


def _run_fresh(terminal: Terminal, artifact: Path, new: Path, results: Path) -> None:
    """Run the artifact on new tickets in a separate process, as any user would."""
    results.unlink(missing_ok=True)
    command = ["run", str(artifact), "--batch", str(new), "--out", str(results)]
    terminal.say(f"\nin a fresh process: langprog {' '.join(command)}")
    done = subprocess.run(
        [sys.executable, "-m", "langprog", *command], check=False, capture_output=True, text=True
    )
    if done.returncode != 0:
        raise LangprogError(f"the artifact did not run in a fresh process: {done.stderr.strip()}")
    for ticket, line in zip(load_examples(new), results.read_text().splitlines(), strict=True):
        outputs = json.loads(line).get("outputs") or json.loads(line)
        terminal.say(f"  {ticket.ticket}")
        terminal.say(f"    -> {', '.join(f'{k}={v}' for k, v in outputs.items())}")


def _say_next(terminal: Terminal, parts: Mapping[tickets.Part, Path], artifact: Path) -> None:
    langprog = _command()
    train, validation, holdout = (
        _short(parts[name]) for name in ("train", "validation", "holdout")
    )
    lines = [
        "",
        "Inspect the compiled program, and run it:",
        f"  {langprog} show {_short(artifact)}",
        f"  {langprog} run {_short(artifact)} --input '{INPUT}'",
        "",
        "The same with your own model (or your own program, metric and files):",
        f"  {langprog} compile {PROGRAM} --metric programs.tickets:metric \\",
        f"      --train {train} --val {validation} \\",
        f"      --holdout {holdout} --out triage.json \\",
    ]
    pad = max(len(f"{model} {cap}") for _, model, cap in MODELS)
    for prepare, model, cap in MODELS:
        lines.append(f"      --lm {f'{model} {cap}':<{pad}}  # after: {prepare}")
    terminal.say("\n".join(lines))


def _command() -> str:
    """Return how this command was called, if ``langprog`` is not on the path."""
    if shutil.which("langprog"):
        return "langprog"
    beside = Path(sys.executable).with_name("langprog")
    return _short(beside) if beside.exists() else f"{_short(Path(sys.executable))} -m langprog"


def _short(path: Path) -> str:
    """Return a path as typed from here."""
    here = Path.cwd()
    shown = path.relative_to(here) if path.is_relative_to(here) else path
    return shlex.quote(str(shown))
