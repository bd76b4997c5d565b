"""Delay of streamed fields, beside a bare aiohttp stream of the same endpoint.

Run with ``python -m benchmarks.streaming``. An endpoint on loopback, in its own process, writes
each reply in pieces; every piece holds the time at which it was written. 200 streams start one
after the other, at most 64 at a time: of ``program.astream``, and in turn of a loop that does
nothing but read lines and parse their JSON. The delay of a piece is the time from its writing to
its arrival as a field's delta; that of the first piece is told apart, and the time from the start
of a stream to its first piece as well. Endpoint and client need a core each: where other work
leaves them less, pieces queue up, and the delays are those of the queue.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager

import aiohttp
from aiohttp import web

import langprog as lp
from benchmarks.measured import Figure, machine, publish, table, versions

STREAMS, WIDTH, ROUNDS = 200, 64, 12
STAGGER = 0.01  # seconds between the starts of two streams
BEFORE, BETWEEN, PIECES = 0.05, 0.02, 25  # seconds to the first piece, between two, how many
PROMPT = "question"

# Seconds from the start of a stream to its first piece, and the delay of each piece.
Delays = tuple[float, list[float]]
Stream = Callable[[int], Awaitable[Delays]]


# --- the endpoint --------------------------------------------------------------------------------


def _piece(text: str, reason: str | None = None) -> bytes:
    delta = {"content": text} if text else {}
    choice = {"index": 0, "delta": delta, "finish_reason": reason}
    return f"data: {json.dumps({'choices': [choice]})}\n\n".encode()


async def _answer(request: web.Request) -> web.StreamResponse:
    body = await request.read()
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    draw = random.Random(hash(body))
    await asyncio.sleep(BEFORE)
    for number in range(PIECES):
        marker = "" if number else "[[answer]]\n"
        await response.write(_piece(f"{marker}{time.monotonic():.6f};"))
        # Irregular, as tokens are: in step, all streams would wait for one another.
        await asyncio.sleep(BETWEEN * draw.uniform(0.5, 1.5))
    await response.write(_piece("", "stop") + b"data: [DONE]\n\n")
    return response


async def _serve() -> None:
    app = web.Application()
    app.router.add_post("/v1/chat/completions", _answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=1024).start()
    sys.stdout.write(f"{runner.addresses[0][1]}\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


@contextmanager
def _endpoint() -> Iterator[str]:
    command = [sys.executable, "-m", "benchmarks.streaming", "serve"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{process.stdout.readline().strip()}/v1"
    finally:
        process.terminate()
        process.wait()


# --- the two clients -----------------------------------------------------------------------------


async def _time_pieces(pieces: AsyncIterator[str], started: float) -> Delays:
    first, delays = 0.0, []
    async for text in pieces:
        now = time.monotonic()
        first = first or now - started
        delays += [now - float(written) for written in text.split(";") if written]
    assert len(delays) == PIECES, len(delays)
    return first, delays


def _bare(url: str, session: aiohttp.ClientSession) -> Stream:
    async def pieces(number: int) -> AsyncIterator[str]:
        body = {
            "model": "bench",
            "messages": [{"role": "user", "content": f"{PROMPT} {number}"}],
            "stream": True,
        }
        async with session.post(f"{url}/chat/completions", json=body) as response:
            async for line in response.content:
                if line.startswith(b"data: {"):
                    text = json.loads(line[6:])["choices"][0]["delta"].get("content")
                    if text:
                        yield text.removeprefix("[[answer]]\n")

    async def run(number: int) -> Delays:
        return await _time_pieces(pieces(number), time.monotonic())

    return run


def _ours(program: lp.Module) -> Stream:
    async def pieces(number: int) -> AsyncIterator[str]:
        async for event in program.astream(question=f"{PROMPT} {number}"):
            if isinstance(event, lp.FieldDelta):
                yield event.text

    async def run(number: int) -> Delays:
        return await _time_pieces(pieces(number), time.monotonic())

    return run


Measured = tuple[float, float, float, float]


async def _run_streams(stream: Stream, first: int) -> Measured:
    """Run all streams.

    Returns:
        Medians in ms: time to the first piece, its delay, that of any; and the CPU time of this
        process for a piece, in us.
    """
    cpu = time.process_time()
    gate = asyncio.Semaphore(WIDTH)

    async def run(number: int) -> Delays:
        await asyncio.sleep(STAGGER * number)
        async with gate:
            return await stream(first + number)

    results = await asyncio.gather(*(run(number) for number in range(STREAMS)))
    return (
        statistics.median(start for start, _ in results) * 1e3,
        statistics.median(delays[0] for _, delays in results) * 1e3,
        statistics.median(delay for _, delays in results for delay in delays) * 1e3,
        (time.process_time() - cpu) / (STREAMS * PIECES) * 1e6,
    )


async def _measure(url: str) -> dict[str, list[Measured]]:
    model = lp.LM("bench/stream", base_url=url, api_key="none", cache=False)
    measured: dict[str, list[Measured]] = {"bare": [], "langprog": []}
    with lp.using(lm=model):
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector) as session:
            streams = {
                "bare": _bare(url, session),
                "langprog": _ours(lp.Predict("question -> answer")),
            }
            for number in range(ROUNDS + 1):
                order = sorted(streams, reverse=bool(number % 2))
                for name in order:
                    medians = await _run_streams(streams[name], number * STREAMS)
                    if number:  # the first round opens the connections
                        measured[name].append(medians)
    await model.aclose()
    return measured


def main() -> None:
    """Measure in turns and publish."""
    before = os.getloadavg()[0]
    with _endpoint() as url:
        measured = asyncio.run(_measure(url))
    rows = [("median of 200 streams", "bare aiohttp", "langprog", "extra")]
    names = ("start to first delta", "delay of the first delta", "delay of any delta", "CPU time")
    for place, name in enumerate(names):
        unit = "us a delta" if name == "CPU time" else "ms"
        bare, ours = (
            Figure(name, tuple(medians[place] for medians in measured[kind]), unit)
            for kind in ("bare", "langprog")
        )
        pairs = zip(ours.values, bare.values, strict=True)
        extra = Figure("extra", tuple(more - less for more, less in pairs), unit)
        rows.append((name, str(bare), str(ours), str(extra)))
    publish(
        "streaming",
        f"# Delay of streamed fields\n\n`python -m benchmarks.streaming`; {machine()}; "
        f"{versions('langprog', 'aiohttp')}; {ROUNDS} rounds in turns of {STREAMS} streams, one "
        f"started every {STAGGER * 1e3:g} ms, at most {WIDTH} at a time; {PIECES} pieces each, "
        f"{BEFORE * 1e3:g} ms to the first and {BETWEEN * 1e3:g} ms, plus or minus half of it, "
        f"between two.\n\n"
        f"Medians over the rounds, with 95 % intervals; extra: the difference in each round. CPU "
        f"time is that of the client alone. Load of the machine (1 minute) before and after: "
        f"{before:.1f}, {os.getloadavg()[0]:.1f}; nice {os.getpriority(os.PRIO_PROCESS, 0)}."
        f"\n\n{table(rows)}",
    )


if __name__ == "__main__":
    if sys.argv[1:] == ["serve"]:
        asyncio.run(_serve())
    else:
        main()
