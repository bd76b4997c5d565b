"""Check that caps hold, estimates are right, and a killed compile has the same result.

Usage: python -m benchmarks.promises [--compiles 40] [--kills 20] [--first 9000]

The model is the response surface (simulated), which makes one reply in thirty unreadable, so that
there are retries. It counts its own requests. For the kills, each compile runs in its own process,
whose model logs every request; it is killed (kill -9) several times, after a random number of
answers, and no cache outlives a process.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import langprog as lp
from benchmarks.measured import machine, publish, table, versions
from benchmarks.surface.endpoint import Surface, unit
from benchmarks.surface.programs import items, program, right
from langprog.evaluation import quantile
from langprog.lm import Completion, Priced, Request, Sampling, Usage
from optimizers import GEPA, MIPRO, BootstrapRandomSearch, Compiled, Compiler, Optimizer

MEMBERS: Mapping[str, Callable[..., Optimizer]] = MappingProxyType(
    {
        "Compiler": Compiler,
        "MIPRO": MIPRO,
        "GEPA": GEPA,
        "BootstrapRandomSearch": BootstrapRandomSearch,
    }
)
PRICE = lp.Price(input=1.0, output=4.0)
UNREADABLE = 1 / 30
CHARACTERS_A_TOKEN = 4
# The range of calls from which each compile draws its cap; the average cost of a call.
CALLS, TOKENS_A_CALL, DOLLARS_A_CALL = (300, 2500), 250, 0.0003
WITHIN = 1.5
WIDTHS = (1, 4, 16, 64)
KILL_AFTER = (1, 250)
# The section written by benchmarks.kills.
COMMANDS = "## Evaluations and batches that are killed"


@dataclass
class Meter:
    """The surface as a language model that counts its requests, and may log them.

    Args:
        surface: Answers the prompts.
        log: Open file for a line ``asked KEY`` and a line ``done KEY`` of every request.
        delay: Seconds per answer.
    """

    surface: Surface
    log: int | None = None
    delay: float = 0.0
    name: str = "surface/small"
    endpoint: str = "in-process"
    defaults: Sampling = Sampling()
    spent: dict[str, float] = field(
        default_factory=lambda: {"calls": 0.0, "tokens": 0.0, "dollars": 0.0}
    )

    async def complete(self, request: Request) -> Completion:
        """Answer, count and log."""
        messages = [(message.role, message.text) for message in request.messages]
        prompt = "".join(content for _, content in messages)
        key = hashlib.sha256(f"{messages}{request.sampling}".encode()).hexdigest()
        self._write(f"asked {key}\n")
        await asyncio.sleep(self.delay)
        text = self.surface.answer(messages, request.sampling.seed)
        if unit("unreadable", key) < UNREADABLE:
            text = "I would rather not say."
        usage = Usage(len(prompt) // CHARACTERS_A_TOKEN, len(text) // CHARACTERS_A_TOKEN)
        self.spent["calls"] += 1
        self.spent["tokens"] += usage.total_tokens
        self.spent["dollars"] += PRICE.of(usage)
        self._write(f"done {key}\n")
        return Completion((text,), self.name, usage, ("stop",))

    def _write(self, line: str) -> None:
        if self.log is not None:
            os.write(self.log, line.encode())

    async def aclose(self) -> None:
        """Do nothing: there is no connection."""


def compile_program(
    member: Optimizer, model: Meter, seed: int, budget: lp.Budget, run_dir: Path | None = None
) -> Compiled:
    """Compile the program of one or two modules that belongs to ``seed``."""
    with lp.using(lm=Priced(model, PRICE)):
        request = _make_arguments(model.surface, seed)
        return member.compile(**request, budget=budget, run_dir=run_dir)


def _make_arguments(surface: Surface, seed: int) -> dict[str, Any]:
    """Return the arguments of the compile."""
    data = items(surface, 0, 260)
    return {
        "program": program(1 + seed % 2),
        "trainset": data[:80],
        "valset": data[80:200],
        "holdout": data[200:],
        "metric": right,
        "seed": seed,
    }


# --- caps and estimates --------------------------------------------------------------------


def draw_cap(kind: str, seed: int) -> tuple[lp.Budget, float]:
    """Return a budget with one cap, drawn by ``seed``, and the cap."""
    calls = random.Random(f"{kind}/{seed}").randint(*CALLS)
    if kind == "calls":
        return lp.Budget(calls=calls), float(calls)
    if kind == "tokens":
        return lp.Budget(tokens=calls * TOKENS_A_CALL), float(calls * TOKENS_A_CALL)
    return lp.Budget(dollars=calls * DOLLARS_A_CALL), calls * DOLLARS_A_CALL


def measure_caps(name: str, kind: str, seeds: range) -> tuple[str, ...]:
    """Compile under many caps of one kind."""
    shares, ratios = [], []
    for seed in seeds:
        budget, cap = draw_cap(kind, seed)
        member, model = MEMBERS[name](), Meter(Surface(seed))
        with lp.using(lm=Priced(Meter(Surface(seed)), PRICE)):
            expected = member.estimate(**_make_arguments(model.surface, seed), budget=budget).calls
        compile_program(member, model, seed, budget)
        shares.append(model.spent[kind] / cap)
        calls = model.spent["calls"]
        ratios.append(min(1.0, calls / expected.low) * max(1.0, calls / expected.high))
    within = sum(1 / WITHIN <= ratio <= WITHIN for ratio in ratios)
    return (
        name,
        kind,
        str(len(shares)),
        f"{sum(share > 1.0 for share in shares)}",
        f"{statistics.fmean(shares):.2f} ({max(shares):.3f})",
        f"{within} of {len(ratios)}",
        f"{quantile(ratios, 0.05):.2f} to {quantile(ratios, 0.95):.2f}",
    )


# --- kills ---------------------------------------------------------------------------------


def compile_in_process(
    name: str, seed: str, cap: str, width: str, folder: str, delay: str
) -> None:
    """Compile in this process; the last line printed is the digest of the artifact."""
    path = Path(folder)
    path.mkdir(parents=True, exist_ok=True)
    log = os.open(path / "requests", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    model = Meter(Surface(int(seed)), log, float(delay))
    member = MEMBERS[name](concurrency=int(width))
    compiled = compile_program(member, model, int(seed), lp.Budget(calls=int(cap)), path / "run")
    sys.stdout.write(f"{compiled.save(path / 'artifact.json')}\n")


def _start_compile(*arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "benchmarks.promises", "once", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def _read_requests(folder: Path, what: str) -> list[str]:
    path = folder / "requests"
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    # The last line may be incomplete, as the file is read while it is written.
    return [line.split()[1] for line in text.split("\n")[:-1] if line.startswith(what)]


def kill_and_resume(name: str, seed: int, kills: int, root: Path) -> dict[str, Any]:
    """Compile undisturbed, then again with ``kills`` kills, and compare."""
    rng = random.Random(f"kills/{name}/{seed}")
    cap = str(rng.randint(*CALLS))
    whole, broken = root / f"{name}-{seed}-whole", root / f"{name}-{seed}-killed"
    wanted = _start_compile(name, str(seed), cap, "16", str(whole), "0").communicate()[0]
    done, in_flight = 0, 0
    while done < kills:
        width, answers = rng.choice(WIDTHS), rng.randint(*KILL_AFTER)
        before = len(_read_requests(broken, "done"))
        process = _start_compile(name, str(seed), cap, str(width), str(broken), "0.002")
        while process.poll() is None and len(_read_requests(broken, "done")) < before + answers:
            time.sleep(0.005)
        if process.poll() is not None:
            break  # it came to its end before
        process.kill()
        process.communicate()
        done, in_flight = done + 1, in_flight + width
    digest = _start_compile(name, str(seed), cap, "16", str(broken), "0").communicate()[0]
    requests = Counter(_read_requests(broken, "asked"))
    return {
        "kills": done,
        "same": bool(wanted) and digest == wanted,
        "again": sum(requests.values()) - len(requests),
        "in_flight": in_flight,
        "requests": len(requests),
        "beyond": sorted(set(requests) - set(_read_requests(whole, "asked"))),
    }


def measure_kills(name: str, seeds: range, kills: int) -> tuple[str, ...]:
    """Kill several compiles of one optimizer."""
    with tempfile.TemporaryDirectory() as folder:
        outcomes = [kill_and_resume(name, seed, kills, Path(folder)) for seed in seeds]
    return (
        name,
        str(len(outcomes)),
        str(sum(outcome["kills"] for outcome in outcomes)),
        f"{sum(outcome['same'] for outcome in outcomes)} of {len(outcomes)}",
        f"{sum(outcome['again'] for outcome in outcomes)} of "
        f"{sum(outcome['requests'] for outcome in outcomes):,}",
        f"{sum(outcome['in_flight'] for outcome in outcomes):,}",
        str(sum(len(outcome["beyond"]) for outcome in outcomes)),
    )


def main(arguments: list[str]) -> None:
    """Measure and publish; with ``once ...``, run one of the compiles that are killed."""
    if arguments[:1] == ["once"]:
        compile_in_process(*arguments[1:])
        return
    parser = argparse.ArgumentParser(description=__doc__, prog="benchmarks.promises")
    parser.add_argument("--compiles", type=int, default=40, help="of each row")
    parser.add_argument("--kills", type=int, default=20, help="of each of five compiles")
    parser.add_argument("--first", type=int, default=9000, help="first seed")
    options = parser.parse_args(arguments)
    caps: list[tuple[str, ...]] = [
        (
            "optimizer",
            "cap in",
            "compiles",
            "above the cap",
            "share of the cap spent (most)",
            f"estimate within a factor {WITHIN}",
            "spent / estimated range, 90 % of compiles",
        )
    ]
    kills: list[tuple[str, ...]] = [
        (
            "optimizer",
            "compiles",
            "kills",
            "same artifact",
            "requests sent again",
            "in flight at the kills, at most",
            "requests that the undisturbed compile does not send",
        )
    ]
    for name in MEMBERS:
        for kind in ("calls", "tokens", "dollars"):
            caps.append(
                measure_caps(name, kind, range(options.first, options.first + options.compiles))
            )
            sys.stderr.write(" | ".join(caps[-1]) + "\n")
        kills.append(measure_kills(name, range(options.first, options.first + 5), options.kills))
        sys.stderr.write(" | ".join(kills[-1]) + "\n")
    publish(
        "promises",
        "# Caps, estimates, kills\n\n"
        "**Simulated** model (`benchmarks/surface`), which leaves one reply in thirty unreadable. "
        f"`python -m benchmarks.promises --compiles {options.compiles} --kills {options.kills} "
        f"--first {options.first}`; {machine()}; {versions('langprog', 'gepa', 'optuna')}; "
        "programs of one and two modules in turns; the cap is drawn anew for each compile, "
        f"for {CALLS[0]:,} to {CALLS[1]:,} calls, or for what these take on average. Spent is "
        "what the model counted, repairs included. Spent / estimated is 1 inside the estimated "
        "range, below 1 under its low end and above 1 over its high end.\n\n"
        f"{table(caps)}\n\n"
        "Each compile is killed (kill -9) after a random number of answers, and resumed with "
        "another number of examples in work, with no cache but its journal; after the last kill "
        "it runs to its end. A request whose answer was in flight at a kill may be sent again.\n\n"
        f"{table(kills)}",
        keep=COMMANDS,
    )


if __name__ == "__main__":
    main(sys.argv[1:])
