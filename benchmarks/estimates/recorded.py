"""Recorded verdicts, answers and labels, as the measurements need them."""

from __future__ import annotations

import json
import lzma
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path


@dataclass(frozen=True)
class Verdicts:
    """LLMBar: verdicts of judges.

    Args:
        parts: The part that each comparison is from.
        labels: The right verdict of each, "1" or "2".
        configs: The judges.
        verdicts: By comparison and judge, the verdicts in both orders.
    """

    parts: Sequence[str]
    labels: Sequence[str]
    configs: Mapping[str, int]
    verdicts: Sequence[Sequence[Sequence[str]]]

    def by_config(self, name: str) -> list[Sequence[str]]:
        """Return the verdicts of a judge, of each comparison in both orders."""
        place = self.configs[name]
        return [row[place] for row in self.verdicts]


@cache
def load_verdicts(folder: Path) -> Verdicts:
    """Read the five parts of LLMBar."""
    parts: list[str] = []
    labels: list[str] = []
    verdicts: list[list[list[str]]] = []
    configs: dict[str, int] = {}
    for path in sorted((folder / "llmbar").glob("LLMBar_*.jsonl")):
        head, *lines = path.read_text(encoding="utf-8").splitlines()
        names = json.loads(head)["configs"]
        order = sorted(names)
        configs = {name: place for place, name in enumerate(order)}
        for line in lines:
            row = json.loads(line)
            by_name = dict(zip(names, row["winner"], strict=True))
            parts.append(path.stem.removeprefix("LLMBar_"))
            labels.append(str(row["label"]))
            verdicts.append([[str(each) for each in by_name[name]] for name in order])
    return Verdicts(parts, labels, configs, verdicts)


@dataclass(frozen=True)
class Answers:
    """ZeroEval: the answers of models to the same questions.

    Args:
        models: Their names.
        questions: The questions.
        answers: By question and model, the answer; empty where there is none.
        right: Whether it is right.
        lengths: Characters of the whole reply.
    """

    models: Sequence[str]
    questions: Sequence[str]
    answers: Sequence[Sequence[str]]
    right: Sequence[Sequence[float]]
    lengths: Sequence[Sequence[int]]


@cache
def load_answers(folder: Path, part: str) -> Answers:
    """Read the answers to one set of questions, ``gsm`` or ``math-l5``."""
    text = (folder / "zeroeval" / f"{part}.jsonl").read_text(encoding="utf-8")
    head, *rows = map(json.loads, text.splitlines())
    return Answers(
        head["models"],
        [row["question"] for row in rows],
        [[str(each or "") for each in row["pred"]] for row in rows],
        [[float(each or 0) for each in row["ok"]] for row in rows],
        [row["len"] for row in rows],
    )


@cache
def load_scores(folder: Path) -> list[dict[str, float]]:
    """Read the scores of models on the rows of LLMRouter, by model."""
    with lzma.open(folder / "ulab-llmrouter" / "train.jsonl.xz", "rt") as file:
        rows = [json.loads(line)["scores"] for line in file]
    return [row for row in rows if all(value is not None for value in row.values())]
