"""A batch of a million rows: memory, throughput, kills; and how much of a prompt its order shares.

Usage: python -m benchmarks.batch [--rows 1000000] [--kills 3] [--rounds 3]

The canned endpoint runs in its own process and counts the requests that it gets. A batch is the
command line in its own process. The raw client sends the same number of requests through
``OpenAICompatible`` alone.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter, OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import langprog as lp
from benchmarks.endpoint import canned_endpoint, count_requests
from benchmarks.measured import Checkpoint, Figure, machine, publish, ratio, table, versions
from langprog.artifact import save_program
from langprog.batch import ProgramInputs
from langprog.lm import OpenAICompatible

WIDTH = 64
MOST_MEMORY = 300
# Distinct questions among the rows that repeat.
QUESTIONS = 2000
# Prompt tokens that a server caches; vLLM on one large GPU caches some hundred thousand.
KEPT_TOKENS = 100_000
PRODUCTS, REVIEWS = 1000, 20_000


@dataclass(frozen=True, slots=True)
class Ran:
    """What one process of a batch did.

    Args:
        code: Its exit code.
        seconds: From its start to its end.
        memory: Peak memory, in MB.
        stderr: What it wrote to standard error.
    """

    code: int
    seconds: float
    memory: float
    stderr: str


def write_rows(path: Path, rows: int, questions: int | None = None) -> None:
    """Write rows in an order that shares little.

    Args:
        path: The file.
        rows: How many.
        questions: Number of distinct questions; by default as many as rows.
    """
    with path.open("w", encoding="utf-8") as file:
        for number in range(rows):
            case = number % (questions or rows)
            topic = (case * 7919) % 1009
            question = f"About topic {topic}: what is to be said of case {case}?"
            file.write(json.dumps({"id": number, "question": question}) + "\n")


def run_once(folder: Path, url: str, *, cache: str, kill_at: int = 0) -> Ran:
    """Run the batch of a folder; kill it once its output has ``kill_at`` lines more than now."""
    out = folder / "out.jsonl"
    environment = {
        **os.environ,
        "OPENAI_BASE_URL": url,
        "OPENAI_API_KEY": "none",
        "LANGPROG_CACHE": cache,
    }
    command = [sys.executable, "-m", "langprog", "run", "a.json", "--width", str(WIDTH)]
    command += ["--batch", "in.jsonl", "--out", "out.jsonl"]
    started = time.monotonic()
    process = subprocess.Popen(
        command, cwd=folder, env=environment, stderr=subprocess.PIPE, text=True
    )
    before = out.stat().st_size if out.exists() else 0
    memory = 0.0
    while process.poll() is None:
        memory = max(memory, _peak(process.pid))
        grown = (out.stat().st_size if out.exists() else 0) - before
        if kill_at and grown > kill_at:
            process.kill()
        time.sleep(0.05)
    assert process.stderr is not None
    stderr = process.stderr.read()
    return Ran(process.returncode, time.monotonic() - started, memory, stderr)


def _peak(process: int) -> float:
    try:
        status = Path(f"/proc/{process}/status").read_text(encoding="utf-8")
    except OSError:
        return 0.0
    for line in status.splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024
    return 0.0


def find_errors(folder: Path, rows: int) -> str:
    """Return what is wrong with the output; empty if every row is there exactly once."""
    seen = bytearray(rows)
    with (folder / "out.jsonl").open(encoding="utf-8") as file:
        for line in file:
            record = json.loads(line)
            if "outputs" not in record or record["row"] != record["id"] + 1:
                return f"row {record['row']} has no outputs, or not its own id"
            seen[record["id"]] += 1
    counts = Counter(seen)
    return "" if counts == {1: rows} else f"rows by how often they are there: {dict(counts)}"


async def measure_raw_rate(url: str, calls: int) -> float:
    """Measure requests of the client alone per second of processor time."""
    client = OpenAICompatible("openai/canned", base_url=url, api_key="none")
    program = lp.Predict("question -> answer")
    numbers = iter(range(calls))

    async def work() -> None:
        for number in numbers:
            prompt = program.render({"question": f"About topic 1: what of case {number}?"})
            await client.complete(lp.Request(prompt))

    with lp.using(adapter="chat"):
        started = time.process_time()
        await asyncio.gather(*(work() for _ in range(WIDTH)))
        seconds = time.process_time() - started
    await client.aclose()
    return calls / seconds


def measure_batch_rate(folder: Path, url: str, rows: int) -> float:
    """Measure rows of a whole batch per second of processor time, start and end included."""
    write_rows(folder / "in.jsonl", rows)
    (folder / "out.jsonl").unlink(missing_ok=True)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    ran = run_once(folder, url, cache="off")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if ran.code:
        raise RuntimeError(ran.stderr)
    user, system = after.ru_utime - before.ru_utime, after.ru_stime - before.ru_stime
    return rows / (user + system)


# --- prefixes ------------------------------------------------------------------------------------


class TokenTrie:
    """The prompts that a server caches: a trie of tokens that evicts the least recently used leaf.

    Follows: RadixAttention (SGLang). Differs: one token per node, so that hits are exact.

    Args:
        most: Largest number of tokens kept.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._next = 1
        self._children: dict[int, dict[str, int]] = {0: {}}
        self._above: dict[int, tuple[int, str]] = {}
        self._leaves: OrderedDict[int, None] = OrderedDict()

    def add(self, tokens: Sequence[str]) -> int:
        """Add a prompt; return how many of its first tokens were cached."""
        node, hits = 0, 0
        for token in tokens:
            below = self._children[node].get(token)
            if below is None:
                below = self._next
                self._next += 1
                self._children[node][token] = below
                self._children[below] = {}
                self._above[below] = (node, token)
                self._leaves.pop(node, None)
            else:
                hits += 1
            node = below
        self._leaves[node] = None
        self._leaves.move_to_end(node)
        while len(self._above) > self._most:
            self._evict()
        return hits

    def _evict(self) -> None:
        leaf, _ = self._leaves.popitem(last=False)
        above, token = self._above.pop(leaf)
        del self._children[leaf]
        del self._children[above][token]
        if above and not self._children[above]:
            self._leaves[above] = None
            self._leaves.move_to_end(above, last=False)


def make_reviews() -> list[dict[str, str]]:
    """Return a table as a join produces it: the product's text beside each of its reviews."""
    rng = random.Random(0)
    words = [f"word{number}" for number in range(3000)]
    products = [" ".join(rng.choices(words, k=120)) for _ in range(PRODUCTS)]
    rows = []
    for _ in range(REVIEWS):
        review = " ".join(rng.choices(words, k=30))
        rows.append({"product": rng.choice(products), "review": review})
    return rows


def measure_share_kept(prompts: Iterable[str]) -> float:
    """Return the share of tokens that a server finds in its cache."""
    trie, hits, total = TokenTrie(KEPT_TOKENS), 0, 0
    for prompt in prompts:
        tokens = prompt.split()
        hits += trie.add(tokens)
        total += len(tokens)
    return hits / total


def measure_prefixes() -> Iterator[tuple[str, str]]:
    """Yield the share of prompt tokens kept, in input order and in the batch's."""
    program = lp.Predict("product, review -> verdict")
    with lp.using(adapter="chat"):
        inputs = ProgramInputs(program)

        def prompt(row: dict[str, Any]) -> str:
            return "\n".join(message.text for message in program.render(row))

        rows = make_reviews()
        yield "rows in input order", f"{measure_share_kept(map(prompt, rows)):.1%}"
        ordered = sorted(rows, key=inputs.text_of)
        yield "rows in the batch's order", f"{measure_share_kept(map(prompt, ordered)):.1%}"


# --- the whole -----------------------------------------------------------------------------------


def measure_large_batch(
    folder: Path, rows: int, kills: int, *, cache: str, questions: int | None = None
) -> tuple[str, ...]:
    """Run a batch of ``rows`` rows with kills; return its figures."""
    write_rows(folder / "in.jsonl", rows, questions)
    (folder / "out.jsonl").unlink(missing_ok=True)
    size = (folder / "in.jsonl").stat().st_size  # the output is a little larger
    runs = []
    with canned_endpoint() as url:
        rng = random.Random(rows)
        for number in range(kills + 1):
            part = int(size / (kills + 1) * rng.uniform(0.5, 1.0)) if number < kills else 0
            runs.append(run_once(folder, url, cache=cache, kill_at=part))
        requests = count_requests(url)
    wrong = find_errors(folder, rows)
    memory = max(ran.memory for ran in runs)
    return (
        "off" if cache == "off" else "on",
        f"{rows:,}",
        f"{questions or rows:,}",
        str(sum(ran.code < 0 for ran in runs)),
        wrong or "every row once",
        f"{requests - (questions or rows):,} of at most {kills * WIDTH}",
        f"{memory:.0f} MB",
        f"{sum(ran.seconds for ran in runs):,.0f} s",
    )


def measure_rates(folder: Path, rounds: int, calls: int) -> dict[str, list[float]]:
    """Measure the client alone and a batch, in turns."""
    rates: dict[str, list[float]] = {"raw": [], "batch": []}
    with canned_endpoint() as url:
        for _ in range(rounds):
            rates["raw"].append(asyncio.run(measure_raw_rate(url, calls)))
            rates["batch"].append(measure_batch_rate(folder, url, calls))
    return rates


def main(arguments: list[str]) -> None:
    """Measure and publish."""
    parser = argparse.ArgumentParser(description=__doc__, prog="benchmarks.batch")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--repeated", type=int, default=1_000_000, help="rows that repeat")
    parser.add_argument("--kills", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--calls", type=int, default=20_000, help="of each round")
    parser.add_argument("--checkpoint", type=Path, help="by default in the temporary folder")
    options = parser.parse_args(arguments)
    default = Path(tempfile.gettempdir()) / f"langprog-batch-{options.rows}.json"
    kept = Checkpoint(options.checkpoint or default)
    large: list[tuple[str, ...]] = [
        (
            "cache",
            "rows",
            "questions",
            "kills",
            "output",
            "requests sent again",
            "most memory",
            "time",
        )
    ]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        program = lp.Predict("question -> answer", model="openai/canned", adapter="chat")
        save_program(program, folder / "a.json")
        for cache in ("off", "on"):
            place = "off" if cache == "off" else str(folder / "cache")

            def run(cache: str = cache, place: str = place) -> tuple[str, ...]:
                return measure_large_batch(folder, options.rows, options.kills, cache=place)

            large.append(tuple(kept.measure_once(cache, run)))
        repeated = kept.measure_once(
            "repeated",
            lambda: measure_large_batch(
                folder, options.repeated, 0, cache="off", questions=QUESTIONS
            ),
        )
        large.append(tuple(repeated))
        rates = kept.measure_once(
            "rates", lambda: measure_rates(folder, options.rounds, options.calls)
        )
    shares = kept.measure_once("prefixes", lambda: list(measure_prefixes()))
    publish("batch", _report(options, large, rates, shares))


def _report(
    options: argparse.Namespace,
    large: list[tuple[str, ...]],
    rates: dict[str, list[float]],
    shares: list[tuple[str, str]],
) -> str:
    raw = Figure("requests of the client alone", tuple(rates["raw"]), "a CPU second")
    rows = Figure("rows of a batch", tuple(rates["batch"]), "a CPU second")
    figures = (raw, rows, ratio("batch / client alone", rows, raw))
    measured = [("figure", "median [95 % interval]"), *((f.name, str(f)) for f in figures)]
    prefixes = [("order", "prompt tokens that a server still has"), *map(tuple, shares)]
    return (
        "# Batches\n\n"
        f"`python -m benchmarks.batch --rows {options.rows} --repeated {options.repeated} "
        f"--kills {options.kills} --rounds {options.rounds} --calls {options.calls}`; "
        f"{machine()}; {versions('langprog', 'aiohttp')}; `langprog run --batch` on a canned "
        f"endpoint on loopback, width {WIDTH}.\n\n"
        f"{table(large)}\n\n"
        f"Memory is the most that any of the processes had; below {MOST_MEMORY} MB is the aim. "
        "A killed run (kill -9) goes on with the same command; what was under way is asked "
        "again, and the endpoint counts all that it is asked. Times depend on what else the "
        "machine does.\n\n"
        f"{table(measured)}\n\n"
        f"A batch of {options.calls:,} rows, from the start of its process to its end: imports, "
        "reading, sorting, prompts, parsing and writing are in it. Both keep one core busy, so "
        "that processor time says how many a second they can do; it does not depend on what else "
        "the machine does, as times do. The aim is 0.8.\n\n"
        f"{table(prefixes)}\n\n"
        f"**Simulated** table of {REVIEWS:,} reviews of {PRODUCTS:,} products, as a join makes "
        f"it; a trie of tokens (words) that keeps {KEPT_TOKENS:,} and lets go of the least "
        "recently used. Follows: Optimizing LLM Queries in Relational Data Analytics Workloads."
    )


if __name__ == "__main__":
    main(sys.argv[1:])
