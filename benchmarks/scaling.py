"""Calls per second of Ray workers: a simulation of 1 to 1,000, and a few that were measured.

Usage: python -m benchmarks.scaling [--rows 2000] [--rounds 3]

What a call costs the driver and a worker in processor time is measured, on a canned endpoint on
loopback that answers after 50 ms, with 1 and 2 workers and in this process. The simulation takes
these costs: every worker has rows in progress; a call waits for the worker, for the driver (which
reserves, leases and writes the journal, one call after the other), for the endpoint's tokens, and
for its answer.
"""

from __future__ import annotations

import argparse
import heapq
import itertools
import os
import random
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import langprog as lp
from benchmarks.endpoint import canned_endpoint, count_requests
from benchmarks.measured import Figure, machine, publish, table, versions
from langprog.engines import Engine, LocalEngine
from langprog.evaluation import MetricErrors
from langprog.lm import Ledger, Recorded
from langprog.runtime import run_sync
from optimizers.evaluation.placing import score_rows
from optimizers.journal import Journal

LATENCY, CONCURRENCY = 0.05, 64
# The simulated endpoint: seconds of an answer, tokens of a call, and the rates in tokens a second.
ANSWER, TOKENS = 1.0, 700
RATES = (100_000.0, 1_000_000.0, 10_000_000.0)
WORKERS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
# Rows in progress of a worker, seconds of a message, simulated seconds, and those left out.
ROWS, MESSAGE, SIMULATED, WARM = 16, 0.001, 90.0, 60.0
# Mean seconds until a worker is killed.
LIFE = 600.0


# --- measured ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Point:
    """A measured run: calls a second, and processor seconds of a call."""

    rate: float
    driver: float
    worker: float


def _cpu_of(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _workers() -> Iterator[int]:
    for folder in Path("/proc").iterdir():
        try:
            if folder.name.isdigit() and b"ray::Worker" in (folder / "cmdline").read_bytes():
                yield int(folder.name)
        except OSError:
            continue


def exact(example: lp.Example, prediction: lp.Prediction) -> bool:
    """Return whether an answer is the canned one."""
    return bool(prediction.answer == "fine")


async def _measure(engine: Engine, url: str, rows: int, start: int) -> Point:
    model = lp.LM("bench/canned", base_url=url, cache=False)
    program = lp.Predict("question -> answer", adapter="chat", model=model)
    examples = [lp.Example(question=f"question {start + n}") for n in range(rows)]
    recorded = Recorded(model, Journal(None, {}))
    workers = list(_workers())
    with lp.using(budget=Ledger(lp.Budget(calls=rows)), wrap=lambda lm: recorded):
        before = [_cpu_of(worker) for worker in workers]
        driver, began = time.process_time(), time.perf_counter()
        await score_rows(
            engine, program, examples, exact, concurrency=CONCURRENCY, errors=MetricErrors()
        )
        seconds, driver = time.perf_counter() - began, time.process_time() - driver
        spent = sum(map(_cpu_of, workers)) - sum(before)
    return Point(rows / seconds, driver / rows, spent / rows)


def measure(rows: int, rounds: int) -> dict[str, list[Point]]:
    """Return the points of each engine."""
    points: dict[str, list[Point]] = {}
    with canned_endpoint(LATENCY) as url:
        numbers = itertools.count(0, rows)
        for name, engine in (
            ("this process", LocalEngine()),
            ("1 worker", lp.RayEngine(workers=1)),
            ("2 workers", lp.RayEngine(workers=2)),
        ):

            async def rounds_of(engine: Engine = engine) -> list[Point]:
                async with engine:
                    await _measure(engine, url, rows // 4, next(numbers))
                    return [
                        await _measure(engine, url, rows, next(numbers)) for _ in range(rounds)
                    ]

            points[name] = run_sync(rounds_of())
        expected = 3 * (rounds * rows + rows // 4)
        assert count_requests(url.removesuffix("/v1")) == expected, "a call was made twice"
    return points


# --- simulated -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Simulated:
    """A simulated run: calls a second, and the part of the calls that was paid a second time."""

    rate: float
    twice: float


class Queue:
    """One server that takes its customers in turn."""

    def __init__(self) -> None:
        self._free = 0.0

    def leave(self, now: float, seconds: float) -> float:
        """Return when a customer that comes now leaves."""
        self._free = max(self._free, now) + seconds
        return self._free


def simulate(
    workers: int, rate: float, driver: float, worker: float, *, life: float | None = None
) -> Simulated:
    """Simulate workers that call an endpoint of that token rate.

    Args:
        workers: Number of workers.
        rate: Tokens a second of the endpoint.
        driver: Processor seconds of a call at the driver, half before and half after it.
        worker: The same at a worker.
        life: Mean seconds until a worker is killed; another takes its place, and makes the calls
            that were leased to it again.
    """
    rng = random.Random(workers)
    desk, endpoint = Queue(), Queue()
    cpus = [Queue() for _ in range(workers)]
    deaths = [deque(_draw_deaths(rng, life)) for _ in range(workers)]
    order = itertools.count()
    events = [
        (rng.random() * ANSWER, next(order), row % workers, 0) for row in range(workers * ROWS)
    ]
    heapq.heapify(events)
    done = again = 0
    while events[0][0] < SIMULATED:
        now, _, place, step = heapq.heappop(events)
        if step == 0:  # the worker renders the prompt and asks
            now = cpus[place].leave(now, worker / 2) + MESSAGE
        elif step == 1:  # the driver reserves and leases
            now = desk.leave(now, driver / 2) + MESSAGE
        elif step == 2:  # the endpoint answers
            begun, now = now, max(endpoint.leave(now, TOKENS / rate), now + ANSWER)
            while deaths[place] and deaths[place][0] < begun:
                deaths[place].popleft()
            if deaths[place] and deaths[place][0] < now:  # the worker dies: it is leased again
                now, step = deaths[place][0], 0
                again += now > WARM
            else:
                now += MESSAGE
        elif step == 3:  # the driver writes it to the journal and answers
            now = desk.leave(now, driver / 2) + MESSAGE
        else:  # the worker reads and scores it, and begins the next row
            now = cpus[place].leave(now, worker / 2)
            done += now > WARM
        heapq.heappush(events, (now, next(order), place, (step + 1) % 5))
    return Simulated(done / (SIMULATED - WARM), again / max(1, done))


def _draw_deaths(rng: random.Random, life: float | None) -> Iterator[float]:
    now = 0.0
    while life is not None and (now := now + rng.expovariate(1 / life)) < SIMULATED:
        yield now


# --- the page ------------------------------------------------------------------------------------


def _measured_table(points: dict[str, list[Point]]) -> str:
    rows: list[tuple[str, ...]] = [
        ("where rows run", "calls", "driver, CPU a call", "workers, CPU a call")
    ]
    for name, runs in points.items():
        figures = [
            Figure("", tuple(run.rate for run in runs), "calls/s"),
            Figure("", tuple(1000 * run.driver for run in runs), "ms"),
            Figure("", tuple(1000 * run.worker for run in runs), "ms"),
        ]
        rows.append((name, *map(str, figures)))
    return table(rows)


def _simulated_table(driver: float, worker: float) -> str:
    rows: list[tuple[str, ...]] = [("workers", *(f"{rate:,.0f} tokens/s" for rate in RATES))]
    for workers in WORKERS:
        cells = []
        for rate in RATES:
            run = simulate(workers, rate, driver, worker)
            bounds = {
                "endpoint": rate / TOKENS,
                "driver": 1 / driver,
                "rows": workers * min(ROWS / (ANSWER + worker + driver), 1 / worker),
            }
            cells.append(f"{run.rate:,.0f} ({min(bounds, key=bounds.__getitem__)})")
        rows.append((f"{workers:,}", *cells))
    return table(rows)


def main() -> None:
    """Measure, simulate and publish."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    os.environ["LANGPROG_CACHE"] = "off"
    points = measure(given.rows, given.rounds)
    last = points["2 workers"]
    driver = Figure("", tuple(run.driver for run in last), "s").median
    worker = Figure("", tuple(run.worker for run in last), "s").median
    killed = simulate(WORKERS[-1], RATES[1], driver, worker, life=LIFE)
    publish(
        "scaling",
        f"""# Ray workers

`python -m benchmarks.scaling --rows {given.rows} --rounds {given.rounds}`; {machine()};
{versions("langprog", "ray", "aiohttp")}.

## Measured

{_measured_table(points)}

Median [95 % interval] of {given.rounds} rounds of {given.rows:,} rows, one call each, as a
compile runs them: {CONCURRENCY} at once, with budget and journal, on an endpoint on loopback that
answers after {1000 * LATENCY:g} ms. Every call was made once. Endpoint, driver, workers and Ray's
own processes share the machine and what else it does, so calls a second say what Ray costs here,
not what it gains: a second worker has no core to itself. Processor time depends less on that. The
worker's is what leaves the driver: prompt, HTTP, parsing, metric; and messages come on top.

## Simulated

{_simulated_table(driver, worker)}

**Simulated** calls a second, and what bounds them: the endpoint's tokens, the driver, or the rows
in progress. {ROWS} rows a worker, {TOKENS} tokens a call, {ANSWER:g} s an answer,
{1000 * MESSAGE:g} ms a message on its way, and the costs of a call measured with 2 workers
({1000 * driver:.2f} ms at the driver, {1000 * worker:.2f} ms at a worker); one run of
{SIMULATED - WARM:g} s after {WARM:g} s, seeded by the number of workers. Not in it: limits on
requests, programs and metrics that compute, Ray's own limits, and that the calls of many workers
share fewer messages, so that each of them costs the driver more.

The driver sees every call, for the budget, the journal and identical calls of several workers, so
it bounds a run at about {1 / driver:,.0f} calls a second, {TOKENS / driver / 1e6:.1f} million
tokens a second here. If each of {WORKERS[-1]:,} workers is killed every {LIFE / 60:g} minutes on
average, {killed.twice:.2%} of the calls are made, and paid, a second time.
""",
    )


if __name__ == "__main__":
    main()
