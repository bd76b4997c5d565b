"""Agreement of a judge of pairs with labels, in both orders, and the table of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import langprog as lp
from benchmarks.measured import format_percent, table
from langprog.evaluation import exact

BASE = "uncompiled"
# The label that each verdict becomes when the two are exchanged.
TURNED = {"first": "second", "second": "first"}
HEAD = ("labels", "judge", "agreement, %", "gain, points", "same in both orders, %", "certified",
        "claimed gains that are none", "calls")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Agreement:
    """What a judge does with fresh pairs.

    Args:
        right: How often its verdict is the label, over both orders.
        same: How often it prefers the same of the two in both orders.
    """

    right: float
    same: float


def turn(row: lp.Example) -> lp.Example:
    """Return a pair in the other order."""
    return row.with_(first=row.second, second=row.first, better=TURNED[row.better])


def measure_agreement(judge: lp.Module, rows: Sequence[lp.Example]) -> Agreement:
    """Ask a judge about pairs in both orders; a verdict that cannot be read is wrong.

    Args:
        judge: Says which is ``better``.
        rows: Pairs with their labels.
    """
    orders = [
        lp.evaluate(judge, each, exact("better")).rows for each in (rows, [turn(r) for r in rows])
    ]
    said: list[list[str | None]] = []
    for reports in orders:
        if any(row.score is None for row in reports):
            raise RuntimeError("a pair has no score")
        said.append(
            [None if row.prediction is None else str(row.prediction.better) for row in reports]
        )
    right = [row.score.value for each in orders for row in each if row.score is not None]
    same = [a is not None and TURNED.get(a) == b for a, b in zip(*said, strict=True)]
    return Agreement(fmean(right), fmean(same))


def list_cells(
    labels: str, name: str, runs: Sequence[Mapping[str, Any]], base: Sequence[float]
) -> tuple[str, ...]:
    """Return a row of the table.

    Args:
        labels: How many labels there were.
        name: The judge.
        runs: What was measured, by seed.
        base: The agreement of the uncompiled judge, by seed.
    """
    right = [run["right"] for run in runs]
    cells = (labels, name, format_percent(right))
    same = format_percent([run["same"] for run in runs])
    if name == BASE:
        return (*cells, "-", same, "-", "-", "-")
    gains = [a - b for a, b in zip(right, base, strict=True)]
    certified = [
        gain for gain, run in zip(gains, runs, strict=True) if run["verdict"] == "certified"
    ]
    calls = fmean(run["calls"] for run in runs)
    return (
        *cells,
        format_percent(gains),
        same,
        f"{len(certified)} of {len(runs)}",
        f"{sum(gain <= 0 for gain in certified)} of {len(certified)}",
        f"{calls:,.0f}",
    )


def format_agreements(
    measure: Callable[[str, int], list[dict[str, Any]]],
    members: Iterable[str],
    labels: Iterable[int],
) -> str:
    """Return the table: the uncompiled judge, then each optimizer at each number of labels.

    Args:
        measure: Returns what was measured, by seed, of a judge with that number of labels.
        members: The optimizers.
        labels: The numbers of labels.
    """
    members, runs = list(members), measure(BASE, 0)
    base = [run["right"] for run in runs]
    rows: list[tuple[str, ...]] = [HEAD, list_cells("0", BASE, runs, base)]
    for count in labels:
        rows += [list_cells(str(count), name, measure(name, count), base) for name in members]
    return table(rows)
