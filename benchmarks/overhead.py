"""Per-call overhead and import time, beside DSPy's and litellm's, in one run.

Run with ``python -m benchmarks.overhead`` after ``pip install -e '.[bench]'``. The model takes
no time: it returns a fixed text in this process. This measures the work of a library around a
call: rendering the prompt, tracing, parsing the answer.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import langprog as lp
from benchmarks.measured import Figure, machine, publish, ratio, table, versions

CALLS, ROUNDS = 300, 15
TEXT = "[[answer]]\nfine"
DSPY_TEXT = "[[ ## answer ## ]]\nfine\n\n[[ ## completed ## ]]"


class Instant:
    """A langprog model that answers at once."""

    name, endpoint, defaults = "bench/instant", "in-process", lp.Sampling()

    async def complete(self, request: lp.Request) -> lp.Completion:
        """Answer."""
        return lp.Completion((TEXT,), self.name)

    async def aclose(self) -> None:
        """Do nothing."""


def make_langprog_call() -> Callable[[], None]:
    """Return a function that makes one synchronous call of a langprog program."""
    program = lp.Predict("question -> answer")
    lp.configure(lm=Instant())
    counter = iter(range(10**9))

    def call() -> None:
        assert program(question=f"question {next(counter)}").answer == "fine"

    return call


def make_dspy_call() -> Callable[[], None]:
    """Return a function that makes one synchronous call of a DSPy program."""
    import dspy  # noqa: PLC0415 - the peer is loaded where it is measured

    class Custom(dspy.BaseLM):  # type: ignore[misc]  # dspy ships no types
        def forward(self, prompt: Any = None, messages: Any = None, **options: Any) -> Any:
            from types import SimpleNamespace as Plain  # noqa: PLC0415 - only for the peer

            message = Plain(content=DSPY_TEXT, tool_calls=None, reasoning_content=None)
            choice = Plain(message=message, finish_reason="stop", logprobs=None)
            return Plain(
                choices=[choice],
                usage={"prompt_tokens": 1, "completion_tokens": 1},
                model="instant",
            )

    dspy.configure(lm=Custom("bench/instant"))
    program = dspy.Predict("question -> answer")
    counter = iter(range(10**9))

    def call() -> None:
        assert program(question=f"question {next(counter)}").answer == "fine"

    return call


async def _make_langprog_call_async(calls: int) -> float:
    program = lp.Predict("question -> answer")
    started = time.perf_counter()
    for number in range(calls):
        await program.acall(question=f"question {number}")
    return (time.perf_counter() - started) / calls


def time_call(call: Callable[[], None]) -> float:
    """Return the mean seconds of a call, over many."""
    started = time.perf_counter()
    for _ in range(CALLS):
        call()
    return (time.perf_counter() - started) / CALLS


def import_seconds(module: str) -> float:
    """Return the seconds that importing ``module`` takes in a new process."""
    code = f"import time; t = time.perf_counter(); import {module}; print(time.perf_counter() - t)"
    process = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True
    )
    return float(process.stdout.strip().splitlines()[-1])


def main() -> None:
    """Measure in turns and publish."""
    busy = os.getloadavg()[0]  # by other processes, which take their share of the caches, too
    ours, theirs = make_langprog_call(), make_dspy_call()
    time_call(ours), time_call(theirs)
    sync, alone, peer = [], [], []
    for _ in range(ROUNDS):
        sync.append(time_call(ours) * 1e6)
        alone.append(asyncio.run(_make_langprog_call_async(CALLS)) * 1e6)
        peer.append(time_call(theirs) * 1e6)
    called = Figure("langprog Predict, called synchronously", tuple(sync), "us")
    awaited = Figure("langprog Predict, awaited", tuple(alone), "us")
    dspy_called = Figure("DSPy Predict, called synchronously", tuple(peer), "us")
    loads = {
        name: Figure(f"import {name}", tuple(import_seconds(name) for _ in range(7)), "s")
        for name in ("langprog", "dspy", "litellm")
    }
    figures = [called, awaited, dspy_called, *loads.values()]
    ratios = [
        ratio("DSPy / langprog, both called synchronously", dspy_called, called),
        ratio("DSPy called / langprog awaited", dspy_called, awaited),
        ratio("import dspy / import langprog", loads["dspy"], loads["langprog"]),
        ratio("import litellm / import langprog", loads["litellm"], loads["langprog"]),
    ]
    rows = [("figure", "median [95 % interval]")]
    rows += [(figure.name, str(figure)) for figure in (*figures, *ratios)]
    publish(
        "overhead",
        f"# Per-call overhead and import time\n\n`python -m benchmarks.overhead`; {machine()}; "
        f"{versions('langprog', 'dspy', 'litellm')}; {ROUNDS} rounds of {CALLS} calls in turns, "
        f"7 imports each; load average {busy:.1f} before.\n\n{table(rows)}",
    )


if __name__ == "__main__":
    main()
