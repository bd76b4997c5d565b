"""What ``langprog serve`` adds to a request, and whether a swap under load costs one.

Run with ``python -m benchmarks.serving``. Both servers run in processes of their own, on uvicorn
with the same protocol: one is plain starlette, whose handler parses a JSON body and returns a JSON
answer of the same size; the other is langprog's server with a program of one predictor, whose
model is in its process and answers at once. They are measured in turns; CPU time is the server's
alone, which other work on the machine changes least. Then 256 connections ask langprog's server
for a minute, its model taking 20 ms, while its artifact is replaced every second. The load comes
from ``wrk`` where it is installed, else from aiohttp in a process of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request as WebRequest
from starlette.responses import JSONResponse
from starlette.routing import Route
from uvicorn.protocols.http.h11_impl import H11Protocol

import langprog as lp
from benchmarks.measured import Figure, machine, publish, ratio, table, versions
from benchmarks.serving_page import BETWEEN, PIECES, WAIT, measure_first_delta
from langprog.artifact import read_artifact
from langprog.lm import Completion, Request, Sampling, Usage
from langprog.serving import Application, Loaded, ProgramServer, Service

ROUNDS, SECONDS, CONNECTIONS = 7, 3, 16
LONG_SECONDS, LONG_CONNECTIONS, SLOW = 60, 256, 0.02
PAGE_ROUNDS = 20
BODY = {"question": "What is the capital of France?"}
ANSWER = "Paris is the capital of France."


# --- the servers ---------------------------------------------------------------------------------


class Model:
    """Answers in this process, after some seconds."""

    name = "bench/model"
    endpoint = "in-process"
    defaults = Sampling()

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    async def complete(self, request: Request) -> Completion:
        """Return the answer."""
        if self._seconds:
            await asyncio.sleep(self._seconds)
        return Completion((f"[[answer]]\n{ANSWER}",), self.name, Usage(40, 10), ("stop",))

    async def aclose(self) -> None:
        """Do nothing."""


def _save(path: Path, number: int) -> None:
    """Replace the artifact, as a compile does."""
    program = lp.Predict("question -> answer", model="bench/model")
    changed = program.with_parameters({"predict.instruction": f"Answer. Version {number}."})
    lp.save(changed, path.with_suffix(".new"))
    path.with_suffix(".new").replace(path)


async def _serve_program(path: Path, seconds: float) -> None:
    model = Model(seconds)

    def load(file: Path) -> Loaded:
        artifact = read_artifact(file)
        return Loaded(artifact.program(models={"bench/model": model}), artifact.digest)

    app = Application([Service("ask", path, load)])
    async with ProgramServer(app) as server:
        _say(server.base_url)
        await asyncio.Event().wait()


async def _serve_plain() -> None:
    async def answer(request: WebRequest) -> JSONResponse:
        asked = json.loads(await request.body())
        usage = dict.fromkeys(("calls", "prompt_tokens", "completion_tokens", "dollars"), 1)
        outputs = {"answer": ANSWER if asked["question"] else ""}
        return JSONResponse({"outputs": outputs, "digest": "a" * 71, "usage": usage})

    app = Starlette(routes=[Route("/programs/ask", answer, methods=["POST"])])
    config = uvicorn.Config(app, port=0, http=H11Protocol, log_config=None, access_log=False)
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    _say(f"http://127.0.0.1:{port}")
    await serving


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


@dataclass(frozen=True)
class Running:
    """A server in a process of its own."""

    url: str
    process: int

    def cpu(self) -> float:
        """Return the seconds of CPU time that it has used."""
        fields = Path(f"/proc/{self.process}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def _running(*arguments: str) -> Iterator[Running]:
    command = [sys.executable, "-m", "benchmarks.serving", *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield Running(process.stdout.readline().strip(), process.pid)
    finally:
        process.kill()
        process.wait()


# --- the load ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Load:
    """What clients saw: requests answered 200, others, and connections that failed."""

    answered: int
    others: int
    errors: int
    seconds: float


def _put_load(url: str, folder: Path, connections: int, seconds: int) -> Load:
    if shutil.which("wrk") is None:
        command = [sys.executable, "-m", "benchmarks.serving", "load", url]
        done = subprocess.run(
            [*command, str(connections), str(seconds)], capture_output=True, text=True, check=True
        )
        return Load(*json.loads(done.stdout))
    script = folder / "post.lua"
    script.write_text(
        f"wrk.method = 'POST'\nwrk.body = '{json.dumps(BODY)}'\n"
        "wrk.headers['Content-Type'] = 'application/json'\n"
    )
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "30s"]
    done = subprocess.run(
        [*command, "-s", str(script), f"{url}/programs/ask"],
        capture_output=True,
        text=True,
        check=True,
    )
    return _read_wrk(done.stdout)


def _read_wrk(text: str) -> Load:
    count, took = re.findall(r"(\d+) requests in ([\d.]+)(?:s|m)", text)[0]
    scale = 60 if f"in {took}m" in text else 1
    others = int((re.findall(r"Non-2xx or 3xx responses: (\d+)", text) or ["0"])[0])
    errors = re.findall(r"(?:connect|read|write|timeout) (\d+)", text)
    return Load(int(count) - others, others, sum(map(int, errors)), float(took) * scale)


async def _load(url: str, connections: int, seconds: float) -> Load:
    answered = others = errors = 0
    started = time.monotonic()
    connector = aiohttp.TCPConnector(limit=connections)

    async def ask(session: aiohttp.ClientSession) -> None:
        nonlocal answered, others, errors
        while time.monotonic() - started < seconds:
            try:
                async with session.post(f"{url}/programs/ask", json=BODY) as reply:
                    await reply.read()
                    answered += reply.status == 200
                    others += reply.status != 200
            except aiohttp.ClientError:
                errors += 1

    async with aiohttp.ClientSession(connector=connector) as session:
        await asyncio.gather(*(ask(session) for _ in range(connections)))
    return Load(answered, others, errors, time.monotonic() - started)


# --- the measurements ----------------------------------------------------------------------------


def _measure_overhead(folder: Path) -> list[tuple[str, ...]]:
    path = folder / "ask.json"
    _save(path, 0)
    rates: dict[str, list[float]] = {"plain": [], "program": []}
    costs: dict[str, list[float]] = {"plain": [], "program": []}
    with _running("plain") as plain, _running("program", str(path), "0") as program:
        servers = {"plain": plain, "program": program}
        for server in servers.values():
            _put_load(server.url, folder, CONNECTIONS, 1)  # warm up
        for _ in range(ROUNDS):
            for name, server in servers.items():
                before = server.cpu()
                load = _put_load(server.url, folder, CONNECTIONS, SECONDS)
                assert not load.others and not load.errors, load
                rates[name].append(load.answered / load.seconds)
                costs[name].append((server.cpu() - before) / load.answered * 1e6)
    call = Figure("call", tuple(_call_cpu(path) for _ in range(ROUNDS)), "us")
    figures = {
        (kind, name): Figure(name, tuple(values), unit)
        for kind, unit, each in (("rate", "/s", rates), ("cpu", "us", costs))
        for name, values in each.items()
    }
    served, bare = figures["cpu", "program"], figures["cpu", "plain"]
    above = tuple(a - b for a, b in zip(served.values, bare.values, strict=True))
    return [
        ("", "plain starlette", "langprog serve", "ratio"),
        (
            "CPU time of the server a request",
            str(bare),
            str(served),
            str(ratio("cpu", served, bare)),
        ),
        (
            f"requests a second, {CONNECTIONS} connections",
            str(figures["rate", "plain"]),
            str(figures["rate", "program"]),
            str(ratio("rate", figures["rate", "program"], figures["rate", "plain"])),
        ),
        ("CPU time above plain starlette", "", str(Figure("above", above, "us")), ""),
        ("of it, the call of the program alone", "", str(call), ""),
    ]


def _call_cpu(path: Path, count: int = 2000) -> float:
    """Return the CPU time of a call of the program without a server, in us."""
    program = read_artifact(path).program(models={"bench/model": Model(0)})

    async def calls() -> float:
        await program.acall(**BODY)
        before = time.process_time()
        for _ in range(count):
            await program.acall(**BODY)
        return (time.process_time() - before) / count * 1e6

    return asyncio.run(calls())


def _swap_under_load(folder: Path) -> list[tuple[str, ...]]:
    path = folder / "ask.json"
    _save(path, 0)
    with _running("program", str(path), str(SLOW)) as server:
        command = [sys.executable, "-m", "benchmarks.serving", "swap", str(path)]
        swapping = subprocess.Popen(command)
        try:
            load = _put_load(server.url, folder, LONG_CONNECTIONS, LONG_SECONDS)
        finally:
            swapping.kill()
            swapping.wait()
        with urllib.request.urlopen(f"{server.url}/metrics") as reply:
            metrics = reply.read().decode()
    swaps = re.findall(r'langprog_reloads_total\{.*result="(\w+)"\} (\d+)', metrics)
    statuses = re.findall(
        r'langprog_requests_total\{program="ask".*status="(\d+)"\} (\d+)', metrics
    )
    by_status: dict[str, int] = {}
    for status, count in statuses:
        by_status[status] = by_status.get(status, 0) + int(count)
    return [
        ("", "count"),
        ("requests answered 200", f"{load.answered:,}"),
        ("other statuses", f"{load.others:,}"),
        ("connections refused, reset or timed out", f"{load.errors:,}"),
        ("swaps of the artifact", ", ".join(f"{count} {result}" for result, count in swaps)),
        (
            "the server's own count, by status",
            ", ".join(f"{status}: {count:,}" for status, count in sorted(by_status.items())),
        ),
    ]


def _swap(path: Path) -> None:
    for number in range(1, 10 * LONG_SECONDS):
        time.sleep(1.0)
        _save(path, number)


def _describe_first(first: list[float] | None) -> str:
    if first is None:
        return "Not measured: there is no Chromium here."
    shown = Figure("first", tuple(first), "ms")
    return (
        f"From the click to the first text of the output field in headless Chromium, by its own "
        f"clock: {shown}, the median of {len(first)} runs; the most were {max(first):,.0f} ms. "
        f"The model's first piece comes after {WAIT * 1000:.0f} ms, and its last "
        f"{PIECES * BETWEEN * 1000:,.0f} ms later."
    )


def main() -> None:
    """Run one of the processes, or measure and publish."""
    parser = argparse.ArgumentParser()
    parser.add_argument("role", nargs="?", default="measure")
    parser.add_argument("rest", nargs="*")
    given = parser.parse_args()
    match given.role, given.rest:
        case "plain", []:
            asyncio.run(_serve_plain())
        case "program", [path, seconds]:
            asyncio.run(_serve_program(Path(path), float(seconds)))
        case "load", [url, connections, seconds]:
            load = asyncio.run(_load(url, int(connections), float(seconds)))
            _say(json.dumps([load.answered, load.others, load.errors, load.seconds]))
        case "swap", [path]:
            _swap(Path(path))
        case _:
            with tempfile.TemporaryDirectory() as folder:
                _measure(Path(folder))


def _measure(folder: Path) -> None:
    before = os.getloadavg()[0]
    overhead, swaps = _measure_overhead(folder), _swap_under_load(folder)
    first = measure_first_delta(folder / "ask.json", PAGE_ROUNDS)
    load = "wrk" if shutil.which("wrk") else "aiohttp"
    about = (
        f"`python -m benchmarks.serving`; {machine()}; "
        f"{versions('langprog', 'starlette', 'uvicorn', 'h11')}; load from {load}. "
        f"Load of the machine (1 minute) before and after: {before:.1f}, {os.getloadavg()[0]:.1f}."
    )
    what = (
        f"Medians of {ROUNDS} rounds in turns of {SECONDS} s, with 95 % intervals. The model is "
        "in the server's process and answers at once; both servers are a uvicorn worker with h11."
    )
    under = (
        f"{LONG_CONNECTIONS} connections for {LONG_SECONDS} s; the model takes {SLOW * 1000:.0f} "
        "ms; the artifact's file is replaced, and looked at, once a second at most. "
        "Requests that are under way when the load stops are not in the client's count; the "
        "server counts them 499 (its client left) or 200. It forgets the counts of artifacts that "
        "were replaced more than 20 swaps ago."
    )
    publish(
        "serving",
        f"# Serving\n\n{about}\n\n## What a request costs\n\n{what}\n\n{table(overhead)}\n\n"
        f"## Swaps under load\n\n{under}\n\n{table(swaps)}\n\n"
        f"## The first words on the page\n\n{_describe_first(first)}",
    )


if __name__ == "__main__":
    main()
