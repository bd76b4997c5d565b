"""A batch at a provider, killed at every step: every row once, the cap held, half price.

Usage: python -m benchmarks.provider [--rows 12] [--cap 9]

The loopback provider behaves like the real one (``benchmarks.batch_endpoint``). Each run is the
command line in a process of its own, which is killed (kill -9) at a request: before the provider
handles it, or after, before the answer arrives. Then the same command runs once more.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from aiohttp import web

import langprog as lp
from benchmarks.batch_endpoint import BatchEndpoint, serve
from benchmarks.batch_wire import Row
from benchmarks.measured import machine, publish, table, versions
from langprog.artifact import save_program
from langprog.batch import Batch, ProviderBatches, run_batch

MODEL = "openai/gpt-4.1-mini"  # with a listed price; the address is the loopback provider's
REFUSED = "question 3"
OPTIONS = "--engine provider --poll 0.01 --gather 0.05 --width 8 --order input"


def answer(body: dict[str, Any]) -> str | Row:
    """Answer a question with itself; one is refused."""
    question = str(body["messages"][-1]["content"]).removeprefix("[[question]]\n").strip()
    if question == REFUSED:
        return Row({"error": {"message": "no such thing"}}, 400)
    return f"[[answer]]\nre: {question}"


@dataclass
class Place:
    """A folder with a batch at a provider, and what kills its runs.

    Args:
        folder: The folder.
        endpoint: The provider.
        url: Its address.
    """

    folder: Path
    endpoint: BatchEndpoint
    url: str
    at: int = 0
    handled: bool = False
    seen: int = 0
    process: subprocess.Popen[bytes] | None = field(default=None)

    def prepare(self, rows: int) -> None:
        """Write the artifact and the input."""
        save_program(
            lp.Predict("question -> answer", adapter="chat", model=MODEL), self.folder / "a.json"
        )
        lines = (json.dumps({"question": f"question {number}"}) for number in range(rows))
        (self.folder / "in.jsonl").write_text("\n".join(lines))
        self.endpoint.interfere = self.interfere

    @property
    def target(self) -> Path:
        """The output."""
        return self.folder / "out.jsonl"

    def begin(self, at: int = 0, *, handled: bool = False) -> None:
        """Forget everything; the next run is killed at this request."""
        for name in ("out.jsonl", "out.jsonl.batches"):
            (self.folder / name).unlink(missing_ok=True)
        self.endpoint.answered.clear()
        self.endpoint.batches.clear()
        self.at, self.handled, self.seen = at, handled, 0

    async def interfere(self, number: int, request: web.Request) -> web.StreamResponse | None:
        """Kill the process that sends the request."""
        self.seen += 1
        if self.seen != self.at:
            return None
        if self.handled:
            await self._handle(request)
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        return web.Response(status=500)

    async def _handle(self, request: web.Request) -> None:
        if request.method == "POST" and request.path == "/v1/files":
            await self.endpoint._upload(request)
        elif request.method == "POST":
            await self.endpoint._create(request)
        elif "content" not in request.path and request.path.startswith("/v1/batches/"):
            await self.endpoint._retrieve(request)

    def run(self, *more: str) -> int:
        """Run the command; return its exit code, negative for a signal."""
        environment = {
            **os.environ,
            "OPENAI_BASE_URL": self.url,
            "OPENAI_API_KEY": "none",
            "LANGPROG_CACHE": "off",
        }
        command = f"run a.json --batch in.jsonl --out out.jsonl {OPTIONS}".split()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "langprog", *command, *more],
            cwd=self.folder,
            env=environment,
            stderr=subprocess.DEVNULL,
        )
        return self.process.wait()


def moments(requests: list[str]) -> Iterator[tuple[int, bool]]:
    """Yield each request of a kind, in every batch; what changes something, also once handled."""
    known: set[str] = set()
    for number, request in enumerate(requests, start=1):
        if request.startswith("POST"):
            yield from [(number, False), (number, True)]
        elif request not in known:
            yield number, False
        known.add(request)


def kill_everywhere(place: Place, rows: int) -> tuple[str, ...]:
    """Kill a run at every request, and check what the next one makes of it."""
    place.begin()
    place.endpoint.requests.clear()
    place.run()
    whole, steps = place.target.read_bytes(), list(moments(place.endpoint.requests))
    killed = same = twice = 0
    for at, handled in steps:
        place.begin(at, handled=handled)
        killed += place.run() == -signal.SIGKILL
        place.run()
        same += place.target.read_bytes() == whole
        twice += sum(count - 1 for count in place.endpoint.answered.values())
    assert len(whole.splitlines()) == rows
    return "no cap", f"{killed} of {len(steps)}", f"{same} of {len(steps)}", str(twice), "-"


def kill_under_a_cap(place: Place, cap: int) -> tuple[str, ...]:
    """Kill a run under a cap at every request, and check what both paid."""
    place.begin()
    place.endpoint.requests.clear()
    place.run("--calls", str(cap))
    steps = list(moments(place.endpoint.requests))
    killed = twice = 0
    paid = []
    for at, handled in steps:
        place.begin(at, handled=handled)
        killed += place.run("--calls", str(cap)) == -signal.SIGKILL
        place.run("--calls", str(cap))
        paid.append(place.endpoint.answered.total())
        twice += sum(count - 1 for count in place.endpoint.answered.values())
    most = f"{max(paid)} of {cap} (least {min(paid)})"
    return f"--calls {cap}", f"{killed} of {len(steps)}", "-", str(twice), most


def compare_prices(place: Place) -> tuple[float, float]:
    """Return the dollars of the batch, called directly and in batches of the provider."""
    model = lp.LM(MODEL, base_url=place.url, api_key="none", cache=False)
    program = lp.Predict("question -> answer", adapter="chat", model=model)
    place.begin()

    def dollars(provider: ProviderBatches | None) -> float:
        place.target.unlink(missing_ok=True)
        source = place.folder / "in.jsonl"
        batch = Batch(program, source, place.target, "run", provider=provider)
        return asyncio.run(run_batch(batch)).dollars or 0.0

    return dollars(None), dollars(ProviderBatches(poll=0.01, gather=0.05))


def main() -> None:
    """Measure and publish."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=12)
    parser.add_argument("--cap", type=int, default=9)
    given = parser.parse_args()
    endpoint = BatchEndpoint(answer)
    with TemporaryDirectory() as folder, serve(endpoint) as url:
        place = Place(Path(folder), endpoint, url)
        place.prepare(given.rows)
        direct, batched = compare_prices(place)
        rows = [
            ("cap", "runs killed", "output as without a kill", "paid twice", "paid calls"),
            kill_everywhere(place, given.rows),
            kill_under_a_cap(place, given.cap),
        ]
    publish(
        "provider",
        f"""# Batches at a provider

`python -m benchmarks.provider --rows {given.rows} --cap {given.cap}`; {machine()};
{versions("langprog", "aiohttp")}; `langprog run a.json --batch in.jsonl --out out.jsonl {OPTIONS}`
on a loopback provider that behaves like the real one, as far as its documentation says.

{table(rows)}

{given.rows} rows, one of which the provider refuses, in two batches. A run is killed (kill -9) at
each kind of its requests to the provider in each batch, uploads and creations also after the
provider has handled them, and the same command runs once more; nothing is drawn. Output: the same
bytes. Of several polls of a batch, the first.
Paid twice: requests that the provider answered a second time. Paid calls: of both runs together,
the most and the least over all kills.

The same rows called directly cost ${direct:.8f}, in batches ${batched:.8f}: {batched / direct:.3f}
of it, at the discount of 50 % that was named. Real providers are not part of this.
""",
    )


if __name__ == "__main__":
    main()
