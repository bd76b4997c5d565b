"""Calls per second to a loopback OpenAI-compatible endpoint, beside three other clients.

Run with ``python -m benchmarks.throughput`` after ``pip install -e '.[bench]'``. The canned
endpoint runs in its own process; every client has the same number of calls in flight.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import langprog as lp
from benchmarks.endpoint import canned_endpoint
from benchmarks.measured import Figure, machine, publish, ratio, table, versions

CONCURRENCY, ROUNDS = 64, 7
CALLS = {"langprog": 3000, "langprog client": 3000, "DSPy": 400, "openai": 600, "litellm": 300}

Call = Callable[[int], Awaitable[Any]]


async def measure_rate(call: Call, calls: int) -> float:
    """Return calls per second with ``CONCURRENCY`` of them in flight."""
    numbers = iter(range(calls))

    async def work() -> None:
        for number in numbers:
            await call(number)

    started = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(CONCURRENCY)))
    return calls / (time.perf_counter() - started)


def clients(url: str) -> dict[str, Call]:
    """Return one asynchronous call for every client."""
    import dspy  # noqa: PLC0415 - the peers are loaded where they are measured
    import litellm  # noqa: PLC0415 - as above
    import openai  # noqa: PLC0415 - as above

    model = lp.LM("bench/canned", base_url=url, api_key="none", cache=False)
    lp.configure(lm=model)
    program = lp.Predict("question -> answer")
    raw = openai.AsyncOpenAI(base_url=url, api_key="none")
    dspy.configure(lm=dspy.LM("openai/canned", api_base=url, api_key="none", cache=False))
    peer = dspy.Predict("question -> answer")

    async def ours(number: int) -> None:
        assert (await program.acall(question=f"question {number}")).answer.startswith("fine")

    async def client(number: int) -> None:
        await model.complete(lp.Request((lp.Message("user", f"question {number}"),)))

    async def theirs(number: int) -> None:
        assert (await peer.acall(question=f"question {number}")).answer

    async def sdk(number: int) -> None:
        await raw.chat.completions.create(
            model="canned", messages=[{"role": "user", "content": f"question {number}"}]
        )

    async def through_litellm(number: int) -> None:
        await litellm.acompletion(
            model="openai/canned",
            messages=[{"role": "user", "content": f"question {number}"}],
            api_base=url,
            api_key="none",
        )

    return {
        "langprog": ours,
        "langprog client": client,
        "DSPy": theirs,
        "openai": sdk,
        "litellm": through_litellm,
    }


async def measure(url: str) -> dict[str, Figure]:
    """Measure every client in turns."""
    calls = clients(url)
    for name, call in calls.items():
        await measure_rate(call, CALLS[name] // 4)
    rates: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(ROUNDS):
        for name, call in calls.items():
            rates[name].append(await measure_rate(call, CALLS[name]))
    return {name: Figure(name, tuple(values), "calls/s") for name, values in rates.items()}


def main() -> None:
    """Measure and publish."""
    with canned_endpoint() as url:
        figures = asyncio.run(measure(url))
    names = {
        "langprog": "langprog Predict",
        "langprog client": "langprog, client alone",
        "DSPy": "DSPy Predict",
        "openai": "openai SDK, client alone",
        "litellm": "litellm, client alone",
    }
    rows = [("figure", "median [95 % interval]")]
    rows += [(names[name], str(figure)) for name, figure in figures.items()]
    for name in ("DSPy", "openai", "litellm"):
        against = "langprog" if name == "DSPy" else "langprog client"
        rates = ratio("", figures[against], figures[name])
        rows.append((f"{names[against]} / {names[name]}", str(rates)))
    publish(
        "throughput",
        f"# Calls per second to a loopback endpoint\n\n`python -m benchmarks.throughput`; "
        f"{machine()}; {versions('langprog', 'dspy', 'litellm', 'openai', 'aiohttp')}; "
        f"concurrency {CONCURRENCY}, {ROUNDS} rounds in turns.\n\n{table(rows)}",
    )


if __name__ == "__main__":
    main()
