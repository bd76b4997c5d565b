"""Judges of LLMBar with few labels: how often intervals hold, and their width.

LLMBar (Zeng et al., 2024; MIT): 419 comparisons of two answers, with the right verdict, and the
verdicts of 65 judges in both orders. A population has 419 rows, from which rows are drawn with
replacement, so that its true mean is known.

- Share: how often is the first answer the better one? The judge's score is the share of its two
  verdicts that say so.
- Accuracy of a judge: is its verdict right? Another judge grades it without knowing the truth: it
  says right where it has the same verdict.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any

import langprog as lp
from benchmarks.estimates.coverage import HEAD, Coverage, measure_coverage
from benchmarks.estimates.recorded import Verdicts, load_verdicts
from benchmarks.measured import Checkpoint, table
from langprog.estimation import MeanEstimate

ROWS = 1000
LABELS = (100, 200, 400)
SHARE = ("GPT-4/Metrics_Reference", "ChatGPT/CoT", "Falcon/Vanilla")
# Who is graded, and by whom.
GRADED = (
    ("GPT-4/Metrics_Reference", "PaLM2/Metrics_Reference"),
    ("ChatGPT/Vanilla", "GPT-4/Vanilla_NoRules"),
)


def _first(verdicts: Sequence[str]) -> float:
    return sum(verdict == "1" for verdict in verdicts) / len(verdicts)


def _questions(data: Verdicts) -> dict[str, tuple[list[float], list[float]]]:
    """Return labels and judge scores of the whole population, by what is asked."""
    questions = {
        f"share, {name}": (
            [float(label == "1") for label in data.labels],
            [_first(verdicts) for verdicts in data.by_config(name)],
        )
        for name in SHARE
    }
    for name, judge in GRADED:
        graded = [verdicts[0] for verdicts in data.by_config(name)]
        questions[f"accuracy of {name}, {judge}"] = (
            [float(v == label) for v, label in zip(graded, data.labels, strict=True)],
            [
                sum(v == other for other in pair) / len(pair)
                for v, pair in zip(graded, data.by_config(judge), strict=True)
            ],
        )
    return questions


def measure_judge(
    labels: Sequence[float], scores: Sequence[float], count: int, draws: int
) -> dict[str, Any]:
    """Measure how often the interval from ``count`` labels of 1,000 rows holds."""

    def draw(number: int) -> tuple[MeanEstimate, Any]:
        rows = random.Random(number).choices(range(len(labels)), k=ROWS)
        known = [labels[row] if at < count else None for at, row in enumerate(rows)]
        estimate = lp.estimate_mean([scores[row] for row in rows], known)
        return estimate, estimate.labels_alone

    return asdict(measure_coverage(fmean(labels), draws, draw))


def measure_judges(folder: Path, draws: int, kept: Checkpoint) -> str:
    """Return the section."""
    rows: list[tuple[str, ...]] = [("what is asked, judge", "truth", "labels", *HEAD)]
    for name, (labels, scores) in _questions(load_verdicts(folder)).items():
        for count in LABELS:
            measure = partial(measure_judge, labels, scores, count, draws)
            coverage = kept.measure_once(f"judges {name} {count} {draws}", measure)
            rows.append((name, f"{fmean(labels):.3f}", str(count), *Coverage(**coverage).cells()))
    return (
        f"`lp.estimate_mean` on recorded judges of LLMBar: {draws:,} draws of {ROWS:,} rows with "
        "replacement (seeds 0 on), of which the first are labelled; ± is 1.96 Monte-Carlo "
        'standard errors. "Labels needed" is the share of labels that gives the width of labels '
        f"alone.\n\n{table(rows)}"
    )
