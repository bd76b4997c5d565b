"""What finished cells say: tables with intervals, paired with the cell without an optimizer."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.suite.cells import BASE
from langprog.evaluation import PairedScores, mean_interval, paired_mean_interval

Outcome = Mapping[str, Any]
Key = tuple[str, str, str, int]
Row = tuple[str, ...]
Interval = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Paired:
    """Cells of one optimizer, each with the same cell without one.

    Args:
        name: The optimizer.
        cells: Its cells.
        bases: Those without an optimizer, in the same order.
    """

    name: str
    cells: tuple[Outcome, ...]
    bases: tuple[Outcome, ...]

    @property
    def accuracy(self) -> Interval:
        """The mean over all rows, with its 95 % interval."""
        return with_bounds([score for cell in self.cells for score in cell["scores"]])

    @property
    def difference(self) -> Interval:
        """The mean difference to the baseline over all rows, with its 95 % interval."""
        before = [score for cell in self.bases for score in cell["scores"]]
        after = [score for cell in self.cells for score in cell["scores"]]
        low, high = paired_mean_interval(PairedScores(before, after))
        return statistics.fmean(after) - statistics.fmean(before), low, high

    @property
    def worse(self) -> tuple[int, int]:
        """How many cells are below their baseline, and how many by more than noise."""
        lower = noticeably = 0
        for cell, base in zip(self.cells, self.bases, strict=True):
            lower += statistics.fmean(cell["scores"]) < statistics.fmean(base["scores"])
            _, high = paired_mean_interval(PairedScores(base["scores"], cell["scores"]))
            noticeably += high < 0
        return lower, noticeably

    def mean(self, name: str) -> float | None:
        """Return the mean of a number of each cell; ``None`` where it is not known."""
        values = [cell[name] for cell in self.cells]
        return None if None in values else statistics.fmean(values)


def with_bounds(scores: Sequence[float]) -> Interval:
    """Return a mean of scores from 0 to 1, and its 95 % interval."""
    return (statistics.fmean(scores), *mean_interval(scores))


def key_of(cell: Outcome) -> Key:
    """Return what a cell shares with its baseline."""
    return cell["task"], cell["program"], cell["model"], cell["seed"]


def pair(outcomes: Sequence[Outcome]) -> list[Paired]:
    """Return the optimizers with the cells whose baseline is there as well, in their order."""
    bases = {key_of(cell): cell for cell in outcomes if cell["optimizer"] == BASE}
    paired = []
    for name in dict.fromkeys(cell["optimizer"] for cell in outcomes):
        cells = [c for c in outcomes if c["optimizer"] == name and key_of(c) in bases]
        if cells:
            paired.append(Paired(name, tuple(cells), tuple(bases[key_of(c)] for c in cells)))
    return paired


def common(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Return the cells of those tasks, programs, models and seeds that every optimizer has."""
    by_key: dict[Key, set[str]] = {}
    for cell in outcomes:
        by_key.setdefault(key_of(cell), set()).add(cell["optimizer"])
    most = max((len(names) for names in by_key.values()), default=0)
    return [cell for cell in outcomes if len(by_key[key_of(cell)]) == most]


def optimizer_rows(paired: Sequence[Paired]) -> list[Row]:
    """Return a row for each optimizer over its cells."""
    rows: list[Row] = [
        (
            "optimizer",
            "cells",
            "accuracy",
            "minus uncompiled",
            "worse (by more than noise)",
            "paid calls of optimizing",
            "dollars of optimizing",
            "calls a row",
            "dollars per 1,000 rows",
        )
    ]
    for each in paired:
        lower, noticeably = each.worse
        is_base = each.name == BASE
        rows.append(
            (
                "uncompiled" if is_base else each.name,
                str(len(each.cells)),
                show(each.accuracy),
                "" if is_base else show(each.difference, "+.3f"),
                "" if is_base else f"{lower} ({noticeably})",
                number(each.mean("compile_calls"), ",.0f"),
                number(each.mean("compile_dollars"), ".5f"),
                number(each.mean("run_calls"), ".2f"),
                number(times(each.mean("run_dollars"), 1000), ".4f"),
            )
        )
    return rows


def program_rows(outcomes: Sequence[Outcome]) -> list[Row]:
    """Return a row for each program, uncompiled and best compiled, by task."""
    tasks = list(dict.fromkeys(cell["task"] for cell in outcomes))
    rows: list[Row] = [("program, optimizer", *tasks)]
    pairs = dict.fromkeys((cell["program"], cell["optimizer"]) for cell in outcomes)
    for program, optimizer in pairs:
        shown = []
        for task in tasks:
            scores = [
                score
                for cell in outcomes
                if (cell["task"], cell["program"], cell["optimizer"]) == (task, program, optimizer)
                for score in cell["scores"]
            ]
            shown.append(f"{statistics.fmean(scores):.3f}" if scores else "")
        name = "uncompiled" if optimizer == BASE else optimizer
        rows.append((f"{program}, {name}", *shown))
    return rows


def peer_sentences(outcomes: Sequence[Outcome], flagship: str = "Compiler") -> list[str]:
    """Say on which common cells the flagship won or lost against each peer."""
    own = {key_of(cell): cell for cell in outcomes if cell["optimizer"] == flagship}
    sentences = []
    for name in dict.fromkeys(cell["optimizer"] for cell in outcomes):
        cells = [c for c in outcomes if c["optimizer"] == name and key_of(c) in own]
        if name in (flagship, BASE) or not cells:
            continue
        theirs = [score for cell in cells for score in cell["scores"]]
        ours = [score for cell in cells for score in own[key_of(cell)]["scores"]]
        low, high = paired_mean_interval(PairedScores(theirs, ours))
        lead = (statistics.fmean(ours) - statistics.fmean(theirs), low, high)
        verdict = "won" if low > 0 else "lost" if high < 0 else "no difference beyond noise"
        sentences.append(
            f"- {flagship} against {name}: {show(lead, '+.3f')} on {len(cells)} cells, "
            f"{len(ours)} rows: {verdict}."
        )
    return sentences


def front(paired: Sequence[Paired]) -> list[str]:
    """Return the names of those that no other beats in both accuracy and dollars of running."""
    points = [(each.name, each.accuracy[0], each.mean("run_dollars")) for each in paired]
    known = [
        (name, accuracy, dollars) for name, accuracy, dollars in points if dollars is not None
    ]
    return [
        name
        for name, accuracy, dollars in known
        if not any(
            other >= accuracy and price <= dollars and (other, price) != (accuracy, dollars)
            for _, other, price in known
        )
    ]


def times(value: float | None, factor: float) -> float | None:
    """Multiply a number that may be unknown."""
    return None if value is None else value * factor


def number(value: float | None, form: str) -> str:
    """Format a number that may be unknown."""
    return "unknown" if value is None else f"{value:{form}}"


def show(interval: Interval, form: str = ".3f") -> str:
    """Format a mean with its interval."""
    middle, low, high = interval
    return f"{middle:{form}} [{low:{form}}, {high:{form}}]"
