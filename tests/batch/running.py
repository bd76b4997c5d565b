"""A batch in this process, on a scripted model."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import langprog as lp
from langprog.batch import Batch, BatchDone, run_batch

Reply = Callable[[str], str | Exception]


def question_in(request: lp.Request) -> str:
    """Return the question of a prompt of ``question -> answer``."""
    return request.messages[-1].text.removeprefix("[[question]]\n").strip()


class Place:
    """A folder with an input, an output and a model that answers a question by a function."""

    def __init__(self, folder: Path, reply: Reply = lambda question: f"re: {question}") -> None:
        self.folder = folder
        self.source, self.target = folder / "in.jsonl", folder / "out.jsonl"
        self.reply = reply
        self.asked: list[str] = []
        self.model = lp.ScriptedLM(self._answer, name="test/model")
        self.program: lp.Module = lp.Predict("question -> answer", adapter="chat")

    def _answer(self, request: lp.Request) -> str | Exception:
        question = question_in(request)
        self.asked.append(question)
        answer = self.reply(question)
        return answer if isinstance(answer, Exception) else f"[[answer]]\n{answer}"

    def rows(self, *questions: str, **more: Sequence[Any]) -> None:
        """Write the input, JSONL."""
        records = [
            {"question": question, **{name: values[index] for name, values in more.items()}}
            for index, question in enumerate(questions)
        ]
        self.source.write_text("".join(json.dumps(record) + "\n" for record in records))

    def run(self, *, run: str = "one", **options: Any) -> BatchDone:
        """Run the batch."""
        batch = Batch(self.program, self.source, self.target, run, **options)

        async def work() -> BatchDone:
            with lp.using(lm=self.model):
                return await run_batch(batch)

        return asyncio.run(work())

    @property
    def results(self) -> list[dict[str, Any]]:
        """The rows of the output."""
        return [json.loads(line) for line in self.target.read_text().splitlines()]

    @property
    def answers(self) -> dict[int, str]:
        """Answers, or kinds of failure, by row number."""
        return {row["row"]: answer_of(row) for row in self.results}


def answer_of(row: Mapping[str, Any]) -> str:
    """Return a row's answer, or the kind of its failure."""
    return str(row["outputs"]["answer"] if "outputs" in row else row["failure"]["kind"])
