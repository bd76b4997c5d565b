"""Recorded answers of many models to the same questions, from five public sources."""

from __future__ import annotations

import ast
import json
import lzma
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

# Dollars per million prompt and completion tokens, from price lists at the time. Nominal: they
# make recorded answers comparable.
LIST_PRICES: Mapping[str, tuple[float, float]] = MappingProxyType(
    {
        "Meta-Llama-3.1-8B-Instruct": (0.18, 0.18),
        "gpt-4o-mini-2024-07-18": (0.15, 0.60),
        "claude-3-haiku-20240307": (0.25, 1.25),
        "Meta-Llama-3.1-70B-Instruct": (0.88, 0.88),
        "Mistral-Large-2": (2.0, 6.0),
        "gpt-4o-2024-08-06": (2.5, 10.0),
        "claude-3-5-sonnet-20240620": (3.0, 15.0),
        "mistralai/Mixtral-8x7B-Instruct-v0.1": (0.60, 0.60),
        "gpt-4-1106-preview": (10.0, 30.0),
    }
)
CHARACTERS_A_TOKEN = 4
# Tokens of the instruction around a question, if only the question was recorded.
AROUND = 120


@dataclass(frozen=True)
class Recorded:
    """Answers of models to the same questions.

    Args:
        name: The data set.
        models: Names, the cheapest first.
        questions: Texts, n of them.
        answers: Answer of each model, if it was recorded, models x n.
        length: Logarithm of the answers' length, (models, n).
        score: 0 to 1, (models, n).
        cost: Dollars, (models, n).
        prices: A description of how the dollars are computed.
    """

    name: str
    models: tuple[str, ...]
    questions: tuple[str, ...]
    answers: tuple[tuple[str, ...], ...]
    length: Floats
    score: Floats
    cost: Floats
    prices: str

    @property
    def size(self) -> int:
        """Number of questions."""
        return len(self.questions)


@dataclass(frozen=True, slots=True)
class _Answer:
    text: str
    length: float
    score: float
    cost: float


def _make_recorded(
    name: str, rows: Mapping[str, list[_Answer]], questions: list[str], prices: str
) -> Recorded:
    order = sorted(rows, key=lambda model: sum(answer.cost for answer in rows[model]))

    def array(read: Callable[[_Answer], float]) -> Floats:
        return np.array([[read(answer) for answer in rows[model]] for model in order])

    return Recorded(
        name,
        tuple(order),
        tuple(questions),
        tuple(tuple(answer.text for answer in rows[model]) for model in order),
        array(lambda answer: answer.length),
        array(lambda answer: answer.score),
        array(lambda answer: answer.cost),
        prices,
    )


def _read_lines(path: Path) -> Iterator[dict[str, Any]]:
    opened = lzma.open(path, "rt", encoding="utf-8") if path.suffix == ".xz" else path.open()
    with opened as file:
        for line in file:
            yield json.loads(line)


def load_zeroeval(folder: Path, part: str, name: str) -> Recorded:
    """Read ZeroEval (Lin, 2024; Apache-2.0): one greedy answer per model; only priced models."""
    head, *lines = _read_lines(folder / "zeroeval" / f"{part}.jsonl")
    rows: dict[str, list[_Answer]] = {}
    questions = [str(line["question"]) for line in lines]
    for place, model in enumerate(head["models"]):
        if model not in LIST_PRICES:
            continue
        rows[model] = [
            _price_answers(
                model, line["question"], str(line["pred"][place]), line["len"][place] or 0
            )(float(line["ok"][place] or 0))
            for line in lines
        ]
    return _make_recorded(name, rows, questions, "list prices, tokens from characters")


def _price_answers(
    model: str, question: str, text: str, characters: int
) -> Callable[[float], _Answer]:
    into, out = LIST_PRICES[model]
    prompt = len(question) / CHARACTERS_A_TOKEN + AROUND
    reply = characters / CHARACTERS_A_TOKEN
    dollars = (prompt * into + reply * out) / 1e6
    return lambda score: _Answer(text, math.log1p(reply), score, dollars)


def load_routellm(folder: Path) -> Recorded:
    """Read RouteLLM's GSM8K answers (Ong et al., 2024; Apache-2.0): two models, full text."""
    lines = list(_read_lines(folder / "routellm" / "gsm8k.jsonl.xz"))
    models = ("mistralai/Mixtral-8x7B-Instruct-v0.1", "gpt-4-1106-preview")
    rows = {
        model: [
            _price_answers(model, line["prompt"], text, len(text))(float(line[model] == "True"))
            for line in lines
            for text in [str(line[f"{model}_response"])]
        ]
        for model in models
    }
    questions = [str(line["prompt"]) for line in lines]
    return _make_recorded(
        "GSM8K (RouteLLM)", rows, questions, "list prices, tokens from characters"
    )


def load_pricing_reversal(folder: Path, part: str, name: str) -> Recorded:
    """Read pricing-reversal (2026; MIT): eight models with the actual cost of each answer."""
    lines = list(_read_lines(folder / "pricing-reversal" / f"{part}.jsonl.xz"))
    rows: dict[str, list[_Answer]] = {}
    for model in lines[0]["runs"]:
        runs = [line["runs"][model] for line in lines]
        rows[model] = [
            _Answer(
                f"{run['prediction']} {str(run['raw_output'])[-400:]}",
                math.log1p(run["completion_tokens"] or 0),
                float(run["score"] or 0.0),
                float(run["cost"] or 0.0),
            )
            for run in runs
        ]
    return _make_recorded(name, rows, [str(line["query"]) for line in lines], "as billed")


def load_llmrouter(folder: Path) -> Recorded:
    """Read LLMRouter's table (UIUC, 2025; MIT): nine models on 14 tasks, scores only."""
    prices = json.loads((folder / "ulab-llmrouter" / "default_llm.json").read_text())
    seen: dict[str, Mapping[str, float]] = {}
    for line in _read_lines(folder / "ulab-llmrouter" / "train.jsonl.xz"):
        scores = line["scores"]
        seen[line["question"]] = ast.literal_eval(scores) if isinstance(scores, str) else scores
    models = [name for name in next(iter(seen.values())) if name in prices]
    kept = {text: scores for text, scores in seen.items() if scores.keys() >= set(models)}
    rows = {
        model: [
            _Answer("", 0.0, float(scores[model] or 0.0), _estimate_dollars(prices[model], text))
            for text, scores in kept.items()
        ]
        for model in models
    }
    return _make_recorded(
        "14 tasks (LLMRouter)", rows, list(kept), "list prices, an answer of 150 tokens"
    )


def _estimate_dollars(price: Mapping[str, float], question: str) -> float:
    prompt = len(question) / CHARACTERS_A_TOKEN
    return (prompt * float(price["input_price"]) + 150 * float(price["output_price"])) / 1e6


SOURCES: Mapping[str, Callable[[Path], Recorded]] = MappingProxyType(
    {
        "gsm8k": lambda folder: load_zeroeval(folder, "gsm", "GSM8K (ZeroEval)"),
        "math5": lambda folder: load_zeroeval(folder, "math-l5", "MATH-L5 (ZeroEval)"),
        "routellm": load_routellm,
        "gpqa": lambda folder: load_pricing_reversal(
            folder, "gpqa-test", "GPQA (pricing-reversal)"
        ),
        "aime": lambda folder: load_pricing_reversal(
            folder, "aime-hybrid", "AIME (pricing-reversal)"
        ),
        "llmrouter": load_llmrouter,
    }
)
