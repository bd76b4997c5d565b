"""An evaluation at full width, beside a bare aiohttp loop, against a loopback endpoint.

Run with ``python -m benchmarks.evaluation``; nothing beyond langprog is needed. The
canned endpoint runs in its own process and takes 50 ms for a reply. The bare loop posts the same
bodies with as many workers over one session and reads the replies as JSON: no retries, budget,
trace, parsing or score. Both are warm, and every round sends new requests.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import aiohttp

import langprog as lp
from benchmarks.endpoint import canned_endpoint
from benchmarks.measured import Figure, machine, publish, ratio, table, versions

EXAMPLES, WIDTH, LATENCY, ROUNDS = 1000, 256, 0.05, 15

# Prepared for these questions, outside the timed part.
Prepare = Callable[[Sequence[str]], Callable[[], None]]


def fine(example: lp.Example, prediction: lp.Prediction) -> bool:
    """The metric, as users write one: synchronous."""
    return bool(prediction.answer.startswith("fine"))


async def fine_async(example: lp.Example, prediction: lp.Prediction) -> bool:
    """The same metric, asynchronous."""
    return bool(prediction.answer.startswith("fine"))


class Bare:
    """The loop that a user would write without a library, on a persistent event loop."""

    def __init__(self, url: str, program: lp.Predict) -> None:
        self._url, self._program = f"{url}/chat/completions", program
        self._loop = asyncio.new_event_loop()
        self._session = self._loop.run_until_complete(self._open())

    async def _open(self) -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(limit=WIDTH)
        return aiohttp.ClientSession(connector=connector, headers={"Authorization": "Bearer none"})

    def __call__(self, questions: Sequence[str]) -> Callable[[], None]:
        """Return a function that sends all questions."""
        bodies = [self._body(question) for question in questions]

        def run() -> None:
            answers = self._loop.run_until_complete(self._ask(iter(bodies)))
            assert len(answers) == EXAMPLES and all("fine" in answer for answer in answers)

        return run

    def _body(self, question: str) -> dict[str, Any]:
        messages = self._program.render({"question": question})
        return {
            "model": "canned",
            "messages": [{"role": m.role, "content": m.text} for m in messages],
        }

    async def _ask(self, bodies: Iterator[dict[str, Any]]) -> list[str]:
        answers = []

        async def work() -> None:
            for body in bodies:
                async with self._session.post(self._url, json=body) as response:
                    reply = await response.json()
                answers.append(reply["choices"][0]["message"]["content"])

        await asyncio.gather(*(work() for _ in range(WIDTH)))
        return answers

    def close(self) -> None:
        """Close the connections and the loop."""
        self._loop.run_until_complete(self._session.close())
        self._loop.close()


def evaluation(program: lp.Predict, model: lp.LanguageModel, metric: Any) -> Prepare:
    """Return evaluations of questions by this model and metric."""

    def prepare(questions: Sequence[str]) -> Callable[[], None]:
        data = [lp.Example(question=question) for question in questions]

        def run() -> None:
            report = lp.evaluate(program, data, metric, concurrency=WIDTH, lm=model)
            assert report.mean == 1.0 and report.n_scored == EXAMPLES

        return run

    return prepare


def measure(runs: dict[str, Prepare]) -> dict[str, Figure]:
    """Measure all in turns; the first round is a warm-up."""
    rates: dict[str, list[float]] = {name: [] for name in runs}
    for turn in range(ROUNDS + 1):
        for name, prepare in runs.items():
            run = prepare([f"question {number} of {turn}, {name}" for number in range(EXAMPLES)])
            started = time.perf_counter()
            run()
            rates[name].append(EXAMPLES / (time.perf_counter() - started))
    return {name: Figure(name, tuple(values[1:]), "rows/s") for name, values in rates.items()}


def main() -> None:
    """Measure and publish."""
    program = lp.Predict("question -> answer")
    with canned_endpoint(LATENCY) as url, tempfile.TemporaryDirectory() as folder:
        bare = Bare(url, program)
        plain = lp.LM("bench/canned", base_url=url, api_key="none", cache=False)
        cached = lp.LM("bench/canned", base_url=url, api_key="none", cache=folder)
        figures = measure(
            {
                "bare aiohttp loop": bare,
                "evaluate": evaluation(program, plain, fine),
                "evaluate, asynchronous metric": evaluation(program, plain, fine_async),
                "evaluate, every completion written to the disk cache": evaluation(
                    program, cached, fine
                ),
            }
        )
        bare.close()
    rows = [("figure", "median [95 % interval]")]
    rows += [(name, str(figure)) for name, figure in figures.items()]
    reference = figures["bare aiohttp loop"]
    for name, figure in list(figures.items())[1:]:
        rows.append((f"{name} / bare aiohttp loop", str(ratio("", figure, reference))))
    publish(
        "evaluation",
        f"# An evaluation beside a bare aiohttp loop\n\n`python -m benchmarks.evaluation`; "
        f"{machine()}; {versions('langprog', 'aiohttp')}; {EXAMPLES:,} examples, "
        f"{LATENCY * 1000:.0f} ms a reply, width {WIDTH}, {ROUNDS} rounds in turns.\n\n"
        f"{table(rows)}",
    )


if __name__ == "__main__":
    main()
