"""Demonstrations of every predictor: where they come from, and how they are drawn."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, Literal, get_args

from langprog import Example, Module
from langprog.artifact import looks_secret
from langprog.errors import InputError
from langprog.evaluation import Range, Row
from langprog.signature import FieldSpec, SignatureSpec, choices_of

DemoSet = tuple[Example, ...]
Turn = Literal["", "first", "last", "middle"]
TURNS: tuple[Turn, ...] = get_args(Turn)

# A text output counts as a label where its values are short and each repeats this often.
REPEATS = 3
SHORT = 40


@dataclass(frozen=True, slots=True)
class SourcedDemo:
    """A demonstration and where it comes from.

    Args:
        demo: The demonstration.
        source: Digest of the training example.
        turn: ``first``, ``middle`` or ``last`` call in a loop; empty outside loops.
    """

    demo: Example
    source: str
    turn: Turn = ""


@dataclass(frozen=True, slots=True)
class Demonstrations:
    """All demonstrations that each predictor may be shown, by path.

    Args:
        labeled: From the training examples' own fields.
        traced: From runs that the metric accepted.
    """

    labeled: Mapping[str, tuple[SourcedDemo, ...]]
    traced: Mapping[str, tuple[SourcedDemo, ...]]


def collect_labeled(
    program: Module, train: Iterable[Example]
) -> dict[str, tuple[SourcedDemo, ...]]:
    """Return, for every predictor, the training examples that have its inputs and outputs.

    A field passed between two modules counts where the examples have it. Only the reasoning may
    be missing.
    """
    collected: dict[str, list[SourcedDemo]] = {path: [] for path in program.predictors()}
    examples = tuple(train)
    for path, predictor in program.predictors().items():
        for example in examples:
            demo = _project(predictor.signature, example)
            if demo is not None and has_no_secret(demo):
                collected[path].append(SourcedDemo(demo, example.digest))
    return {path: tuple(demos) for path, demos in collected.items()}


def check_threshold(threshold: float | None, range: Range) -> None:
    """Check that a threshold tells good runs from others under a metric.

    Raises:
        InputError: It is outside the metric's range.
    """
    low, high = range
    if threshold is not None and not low <= threshold <= high:
        passing = "every" if threshold < low else "no"
        raise InputError(
            f"threshold={threshold:g}: the metric's scores lie between {low:g} and {high:g}, so "
            f"{passing} run would be good enough: give a score within that range"
        )


def select_passing(rows: Sequence[Row], threshold: float | None, range: Range) -> list[Row]:
    """Return the rows whose score is good enough to learn from.

    Args:
        rows: Rows with and without a score.
        threshold: Lowest score that is good enough. ``None`` means the best score there is where
            any row has it, else the best quarter of the rows above the worst.
        range: The worst and the best score.
    """
    scored = [row for row in rows if row.score is not None and row.prediction is not None]
    values = sorted((_score_value(row) for row in scored), reverse=True)
    if threshold is None:
        low, high = range
        if not values or values[0] <= low:
            return []
        threshold = high if values[0] >= high else values[(len(values) - 1) // 4]
        threshold = max(threshold, min(value for value in values if value > low))
    return [row for row in scored if _score_value(row) >= threshold]


def draw_demos(
    demos: Sequence[SourcedDemo], size: int, signature: SignatureSpec, rng: random.Random
) -> tuple[SourcedDemo, ...]:
    """Draw ``size`` different demonstrations that cover the labels and the turns of a loop.

    Labels alternate, in an order that ``rng`` decides, until ``size`` demonstrations are drawn or
    none are left; in a loop, its first, last and middle calls alternate before that. Where there
    is neither, the draw is uniform.
    """
    groups: dict[tuple[str, ...], list[SourcedDemo]] = {}
    labels = find_labels(signature, demos)
    for sourced in _drop_repeats(demos):
        key = (*(str(sourced.demo.get(name)) for name in labels), sourced.turn)
        groups.setdefault(key, []).append(sourced)
    queues = [groups[key] for key in sorted(groups)]
    for queue in queues:
        rng.shuffle(queue)
    rng.shuffle(queues)
    queues = _alternate_turns(queues)
    picked: list[SourcedDemo] = []
    while len(picked) < size and any(queues):
        for queue in queues:
            if queue and len(picked) < size:
                picked.append(queue.pop())
    rng.shuffle(picked)
    return tuple(picked)


def _alternate_turns(queues: list[list[SourcedDemo]]) -> list[list[SourcedDemo]]:
    # How a loop begins says more than how it ends, and that more than what comes between.
    turns = [[queue for queue in queues if queue[0].turn == turn] for turn in TURNS]
    rounds = zip_longest(*turns)
    return [queue for each in rounds for queue in each if queue is not None]


def drop_known(
    demos: Sequence[SourcedDemo], known: DemoSet, signature: SignatureSpec
) -> list[SourcedDemo]:
    """Return ``demos`` without those that show the inputs of one of ``known``."""
    shown = {_input_key(signature, demo) for demo in known}
    return [item for item in demos if _input_key(signature, item.demo) not in shown]


def _input_key(signature: SignatureSpec, demo: Example) -> tuple[str, ...]:
    return tuple(str(demo.get(name)) for name in signature.inputs)


def find_labels(signature: SignatureSpec, demos: Sequence[SourcedDemo]) -> dict[str, int]:
    """Return the outputs that are labels, with their number of distinct values.

    An output is a label by its type (Literal, Enum, bool), or because short values repeat in
    ``demos``.
    """
    labels = {}
    for name, field in signature.outputs.items():
        choices = choices_of(field.annotation)
        if choices is not None:
            labels[name] = len(choices)
        elif field.annotation is bool:
            labels[name] = 2
        else:
            values = [str(item.demo.get(name)) for item in demos if name in item.demo]
            distinct = len(set(values))
            if distinct * REPEATS <= len(values) and all(len(text) <= SHORT for text in values):
                labels[name] = distinct
    return labels


def has_no_secret(demo: Example) -> bool:
    # An artifact refuses to store a key or a password, so none is chosen as a demonstration.
    return not any(looks_secret(str(value)) for value in demo.values())


def _project(signature: SignatureSpec, example: Example) -> Example | None:
    if any(field.required and name not in example for name, field in signature.inputs.items()):
        return None
    outputs = read_labels(signature.outputs, example)
    # A model learns to leave out what its demonstrations leave out. Nobody labels reasoning.
    if not outputs or signature.outputs.keys() - outputs.keys() - {"reasoning"}:
        return None
    try:
        inputs = {
            name: field.from_row(example[name])
            for name, field in signature.inputs.items()
            if name in example
        }
    except InputError:
        return None
    return Example(**inputs, **outputs)


def read_labels(outputs: Mapping[str, FieldSpec], example: Example) -> dict[str, Any]:
    values = {}
    for name, field in outputs.items():
        if name in example:
            try:
                values[name] = field.from_row(example[name])
            except InputError:
                continue  # a value of another type is not a label of this field
    return values


def explain_no_demos(path: str, signature: SignatureSpec, train: Sequence[Example]) -> str:
    """Return a note on a predictor for which no training example could be a demonstration."""
    for name, field in signature.outputs.items():
        labels = [example[name] for example in train if name in example]
        if labels and not any(name in read_labels({name: field}, row) for row in train):
            return (
                f"{path} gets no demonstrations: no label {name!r} is of its declared "
                f"type ({field.type_phrase or 'text'}), such as {labels[0]!r:.60}"
            )
    return f"{path} gets no demonstrations: no training example has its fields"


def _drop_repeats(demos: Iterable[SourcedDemo]) -> list[SourcedDemo]:
    return list({sourced.demo.digest: sourced for sourced in demos}.values())


def _score_value(row: Row) -> float:
    assert row.score is not None
    return row.score.value
