"""Means of batches from few questions: how often intervals hold, and their width.

- ZeroEval (Lin, 2024; Apache-2.0): is a model's answer right? The proxy is the share of three
  cheap models that give the same answer.
- LLMBar (Zeng et al., 2024; MIT): does a good judge find the first answer better? The proxy is the
  verdict of a cheap judge, in both orders.
- LLMRouter (ulab, 2025; MIT): a model's score on 14 kinds of tasks. The proxy is another model's.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any

import langprog as lp
from benchmarks.estimates.coverage import HEAD, Coverage, measure_coverage
from benchmarks.estimates.recorded import load_answers, load_scores, load_verdicts
from benchmarks.measured import Checkpoint, table
from langprog.estimation import MeanEstimate
from langprog.evaluation import mean_interval

CALLS = (100, 200, 400)
CHEAP = ("gemma-2-9b-it", "Meta-Llama-3.1-8B-Instruct", "claude-3-haiku-20240307")


@dataclass(frozen=True)
class Batch:
    """A batch with its proxies and what the oracle says of each row."""

    values: Sequence[float]
    proxies: Sequence[float]


def load_batches(folder: Path) -> dict[str, Batch]:
    """Return the batches by what is asked."""
    batches = {}
    for part, name, model in (
        ("gsm", "GSM8K", "gpt-4o-mini-2024-07-18"),
        ("math-l5", "MATH-L5", "gpt-4o-mini-2024-07-18"),
    ):
        answers = load_answers(folder, part)
        own = answers.models.index(model)
        cheap = [answers.models.index(each) for each in CHEAP]
        batches[f"{name}: {model} right; agreement of three cheap models"] = Batch(
            [row[own] for row in answers.right],
            [fmean(row[own] == row[each] for each in cheap) for row in answers.answers],
        )
    verdicts = load_verdicts(folder)
    first = [
        [fmean(verdict == "1" for verdict in pair) for pair in verdicts.by_config(name)]
        for name in ("GPT-4/Metrics_Reference", "ChatGPT/Vanilla")
    ]
    batches["LLMBar: first answer better, by GPT-4; by ChatGPT"] = Batch(*first)
    scores = load_scores(folder)
    best, other = "llama-3.1-nemotron-51b-instruct", "gemma-2-9b-it"
    batches[f"LLMRouter: score of {best}; of {other}"] = Batch(
        [row[best] for row in scores], [row[other] for row in scores]
    )
    return batches


def measure_batch(batch: Batch, calls: int, draws: int) -> dict[str, Any]:
    """Measure how often the interval from ``calls`` questions contains the batch's mean."""
    rows = [lp.Example(row=number) for number in range(len(batch.values))]

    def draw(number: int) -> tuple[MeanEstimate, Any]:
        estimate = lp.aggregate(
            rows,
            batch.proxies,
            lambda row: batch.values[row.row],
            lp.Budget(calls=calls),
            seed=number,
        )
        drawn = random.Random(number).sample(batch.values, min(calls, len(rows)))
        return estimate, (fmean(drawn), mean_interval(drawn))

    return asdict(measure_coverage(fmean(batch.values), draws, draw))


def measure_batches(folder: Path, draws: int, kept: Checkpoint) -> str:
    """Return the section."""
    rows: list[tuple[str, ...]] = [("batch and oracle; proxy", "rows", "truth", "calls", *HEAD)]
    for name, batch in load_batches(folder).items():
        for calls in CALLS:
            if calls > len(batch.values) / 2:
                continue
            measure = partial(measure_batch, batch, calls, draws)
            coverage = Coverage(**kept.measure_once(f"batches {name} {calls} {draws}", measure))
            size, truth = f"{len(batch.values):,}", f"{fmean(batch.values):.3f}"
            rows.append((name, size, truth, str(calls), *coverage.cells()))
    return (
        f"`lp.aggregate` on recorded answers: {draws:,} draws (seeds 0 on) of the rows that the "
        "oracle is asked about. Labels alone: as many rows drawn at random from the batch, with "
        f"the usual interval, which does not know that the batch is finite.\n\n{table(rows)}"
    )
