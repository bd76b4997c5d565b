"""A batch at a loopback provider, and what it did."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import langprog as lp
from benchmarks.batch_endpoint import Answer, BatchEndpoint, serve
from benchmarks.batch_wire import Row
from langprog.batch import Batch, BatchDone, BatchStatus, ProviderBatches, run_batch
from tests.batch.running import answer_of

PRICE = lp.Price(1.0, 2.0)  # dollars per million tokens
# What a reply of the loopback endpoint costs at half price: 20 tokens in, 5 out.
COST = 0.5 * (20 * 1.0 + 5 * 2.0) / 1e6


def question_in(body: dict[str, Any]) -> str:
    """Return the question of a prompt of ``question -> answer``."""
    return str(body["messages"][-1]["content"]).removeprefix("[[question]]\n").strip()


def echo(body: dict[str, Any]) -> str | Row:
    """Answer the question with itself."""
    return f"[[answer]]\nre: {question_in(body)}"


class ProviderPlace:
    """A folder with an input and an output, and a program at a loopback provider."""

    def __init__(self, folder: Path, endpoint: BatchEndpoint, url: str) -> None:
        self.endpoint, self.url = endpoint, url
        self.source, self.target = folder / "in.jsonl", folder / "out.jsonl"
        self.state = folder / "out.jsonl.batches"
        self.statuses: list[BatchStatus] = []
        self.program: lp.Module = lp.Predict("question -> answer", adapter="chat")

    def model(self, **options: Any) -> lp.lm.LanguageModel:
        """Return a model of the provider."""
        given = {"api_key": "none", "cache": False, "price": PRICE, **options}
        return lp.LM("openai/batched", base_url=self.url, **given)

    def rows(self, *questions: str) -> None:
        """Write the input."""
        lines = (json.dumps({"question": question}) + "\n" for question in questions)
        self.source.write_text("".join(lines))

    def run(
        self,
        lm: lp.lm.LanguageModel | None = None,
        options: dict[str, Any] | None = None,
        **more: Any,
    ) -> BatchDone:
        """Run the batch."""
        provider = ProviderBatches(**{"poll": 0.001, "gather": 0.02, **(options or {})})
        given = {"width": 100, "provider": provider, **more}
        batch = Batch(self.program, self.source, self.target, "run", **given)

        async def work() -> BatchDone:
            with lp.using(lm=lm or self.model()):
                return await run_batch(batch, on_status=self.statuses.append)

        return asyncio.run(work())

    @property
    def results(self) -> list[dict[str, Any]]:
        """The rows of the output."""
        return [json.loads(line) for line in self.target.read_text().splitlines()]

    @property
    def answers(self) -> dict[int, str]:
        """Answers, or kinds of failure, by row number."""
        rows = self.results
        assert len({row["row"] for row in rows}) == len(rows)
        return {row["row"]: answer_of(row) for row in rows}

    @property
    def sizes(self) -> list[int]:
        """The number of requests of each batch."""
        return [len(batch.lines) for batch in self.endpoint.batches.values()]

    @property
    def most_paid(self) -> int:
        """How often the request that was paid for most was paid for."""
        return max(self.endpoint.answered.values(), default=0)


@contextmanager
def provider(answer: Answer = echo, **options: Any) -> Iterator[ProviderPlace]:
    """Serve a provider whose requests are answered by a function.

    The folder is in memory if the system has such a place: each step is synced to the disk.
    """
    memory = Path("/dev/shm")
    endpoint = BatchEndpoint(answer, **options)
    with TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        with serve(endpoint) as url:
            yield ProviderPlace(Path(folder), endpoint, url)
