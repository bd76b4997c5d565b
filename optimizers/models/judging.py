"""Decide whether a judge pays, from how often it accepts right and wrong answers."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial

from langprog import BestOf, record_trace
from langprog.evaluation import Row
from langprog.modules import judge_answer, usage_of
from langprog.runtime import gather_in_order

# Gain in accuracy below which more answers are not worth their price.
WORTH = 0.01
BOOTSTRAP = 200
LEVEL = 0.05


@dataclass(frozen=True, slots=True)
class JudgeRates:
    """Rates of a generator and its judge, measured on samples.

    Args:
        generate: Share of generated answers that are right.
        accepts_right: Share of right answers that the judge accepts.
        accepts_wrong: Share of wrong answers that it accepts.
    """

    generate: float
    accepts_right: float
    accepts_wrong: float

    @classmethod
    def of(cls, items: Sequence[Sequence[Row]], verdicts: Sequence[Sequence[float]]) -> JudgeRates:
        """Count rates; where there is nothing to count, the rate is one half."""
        pairs = [
            (_is_right(row), verdict > 0)
            for item, item_verdicts in zip(items, verdicts, strict=True)
            for row, verdict in zip(item, item_verdicts, strict=True)
        ]
        right = [accepted for good, accepted in pairs if good]
        wrong = [accepted for good, accepted in pairs if not good]
        return cls(len(right) / len(pairs), _smooth_rate(right), _smooth_rate(wrong))

    def to_json(self) -> dict[str, float]:
        """Return a JSON object."""
        return asdict(self)


def _smooth_rate(values: Sequence[bool]) -> float:
    return (sum(values) + 0.5) / (len(values) + 1.0)


def _is_right(row: Row) -> bool:
    return row.score is not None and row.score.value >= 0.5


async def judge_rows(
    module: BestOf, names: Sequence[str], items: Sequence[Sequence[Row]], concurrency: int
) -> tuple[list[list[float]], float]:
    """Ask the judge about every sampled answer.

    Args:
        module: The module with the judge.
        names: The module's inputs.
        items: Sampled answers by example.
        concurrency: Answers judged at the same time.

    Returns:
        The verdicts by example, and the mean dollars of a verdict.
    """

    async def judge(row: Row) -> tuple[float, float]:
        if row.prediction is None:
            return 0.0, 0.0
        inputs = {name: row.example[name] for name in names}
        with record_trace() as trace:
            verdict = await judge_answer(module.judge, inputs, row.prediction)
        return verdict, usage_of(trace.steps(), 0.0).dollars or 0.0

    flat = await gather_in_order(
        [partial(judge, row) for item in items for row in item], concurrency
    )
    results = iter(flat)
    verdicts = [[next(results)[0] for _ in item] for item in items]
    return verdicts, math.fsum(dollars for _, dollars in flat) / max(1, len(flat))


def choose_judged_size(
    items: Sequence[Sequence[Row]],
    verdicts: Sequence[Sequence[float]],
    sizes: Sequence[int],
    rng: random.Random,
) -> int:
    """Choose how many answers a judge should see; 1: the first answer alone.

    Args:
        items: Sampled answers by example.
        verdicts: The judge's verdict on each.
        sizes: Numbers of answers to choose from.
        rng: Draws the bootstrap over examples.
    """
    pairs = [
        [(_is_right(row), verdict) for row, verdict in zip(item, item_verdicts, strict=True)]
        for item, item_verdicts in zip(items, verdicts, strict=True)
    ]
    expected = {k: _accuracy(pairs, k) for k in sizes}
    best = max(expected.values(), default=0.0)
    chosen = min((k for k in sizes if expected[k] >= best - WORTH), default=1)
    if chosen == 1:
        return 1
    helps = 0
    for _ in range(BOOTSTRAP):
        again = rng.choices(pairs, k=len(pairs))
        helps += _accuracy(again, chosen) > _accuracy(again, 1)
    return chosen if helps >= (1 - LEVEL) * BOOTSTRAP else 1


def _accuracy(pairs: Sequence[Sequence[tuple[bool, float]]], k: int) -> float:
    return math.fsum(_chance(item, k) for item in pairs) / len(pairs)


def _chance(item: Sequence[tuple[bool, float]], k: int) -> float:
    """Return the chance that the best of ``k`` draws from an item's samples is right.

    Draws are taken with replacement from the samples, so an item that was never right stays
    wrong: with few samples this errs toward a small k.
    """
    n = len(item)
    total = 0.0
    below = 0
    for level in sorted({verdict for _, verdict in item}):
        here = [good for good, verdict in item if verdict == level]
        # All draws at most this level, and not all below it.
        reaches = ((below + len(here)) / n) ** k - (below / n) ** k
        total += reaches * sum(here) / len(here)
        below += len(here)
    return total
