"""Demonstrations of every predictor: where they come from, and how they are drawn."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from langprog import Example, Module
from langprog.artifact import looks_secret
from langprog.errors import InputError
from langprog.evaluation import Row
from langprog.signature import FieldSpec, SignatureSpec, choices_of

DemoSet = tuple[Example, ...]

# A text output counts as a label where its values are short and each repeats this often.
REPEATS = 3
SHORT = 40


@dataclass(frozen=True, slots=True)
class SourcedDemo:
    """A demonstration and the digest of the training example that it comes from."""

    demo: Example
    source: str


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
            if demo is not None and _has_no_secret(demo):
                collected[path].append(SourcedDemo(demo, example.digest))
    return {path: tuple(demos) for path, demos in collected.items()}


def collect_traced(program: Module, rows: Iterable[Row]) -> dict[str, tuple[SourcedDemo, ...]]:
    """Return, for every predictor, what it was given and answered in ``rows``.

    Where the example has a field of the same name, its value replaces the answer. A predictor
    that was called several times for one example gives one demonstration, the last: loops end
    with their best.
    """
    predictors = program.predictors()
    collected: dict[str, list[SourcedDemo]] = {path: [] for path in predictors}
    for row in rows:
        steps = {step.path: step for step in row.trace if step.listed and step.failure is None}
        for path, step in steps.items():
            if path in predictors:
                values = {**step.inputs, **step.outputs}
                values.update(_read_labels(predictors[path].signature.outputs, row.example))
                demo = Example(**values)
                if _has_no_secret(demo):
                    collected[path].append(SourcedDemo(demo, row.example.digest))
    return {path: tuple(demos) for path, demos in collected.items()}


def select_passing(rows: Sequence[Row], threshold: float | None) -> list[Row]:
    """Return the rows whose score is good enough to learn from.

    Args:
        rows: Rows with and without a score.
        threshold: Lowest score that is good enough. ``None`` means full marks (1.0) where any
            row has them, else the best quarter of the rows that score above zero.
    """
    scored = [row for row in rows if row.score is not None and row.prediction is not None]
    values = sorted((_score_value(row) for row in scored), reverse=True)
    if threshold is None:
        if not values or values[0] <= 0.0:
            return []
        threshold = 1.0 if values[0] >= 1.0 else values[(len(values) - 1) // 4]
        threshold = max(threshold, min(value for value in values if value > 0.0))
    return [row for row in scored if _score_value(row) >= threshold]


def draw_demos(
    demos: Sequence[SourcedDemo], size: int, signature: SignatureSpec, rng: random.Random
) -> tuple[SourcedDemo, ...]:
    """Draw ``size`` different demonstrations that cover the labels.

    Labels take turns, in an order that ``rng`` decides, until ``size`` demonstrations are drawn
    or none are left. Where no output is a label, the draw is uniform.
    """
    groups: dict[tuple[str, ...], list[SourcedDemo]] = {}
    labels = find_labels(signature, demos)
    for sourced in _drop_repeats(demos):
        key = tuple(str(sourced.demo.get(name)) for name in labels)
        groups.setdefault(key, []).append(sourced)
    queues = [groups[key] for key in sorted(groups)]
    for queue in queues:
        rng.shuffle(queue)
    rng.shuffle(queues)
    picked: list[SourcedDemo] = []
    while len(picked) < size and any(queues):
        for queue in queues:
            if queue and len(picked) < size:
                picked.append(queue.pop())
    rng.shuffle(picked)
    return tuple(picked)


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


def _has_no_secret(demo: Example) -> bool:
    # An artifact refuses to store a key or a password, so none is chosen as a demonstration.
    return not any(looks_secret(str(value)) for value in demo.values())


def _project(signature: SignatureSpec, example: Example) -> Example | None:
    if any(name not in example for name in signature.inputs):
        return None
    outputs = _read_labels(signature.outputs, example)
    # A model learns to leave out what its demonstrations leave out. Nobody labels reasoning.
    if not outputs or signature.outputs.keys() - outputs.keys() - {"reasoning"}:
        return None
    try:
        inputs = {name: field.validate(example[name]) for name, field in signature.inputs.items()}
    except InputError:
        return None
    return Example(**inputs, **outputs)


def _read_labels(outputs: Mapping[str, FieldSpec], example: Example) -> dict[str, Any]:
    values = {}
    for name, field in outputs.items():
        if name in example:
            try:
                values[name] = field.validate(example[name])
            except InputError:
                continue  # a value of another type is not a label of this field
    return values


def _drop_repeats(demos: Iterable[SourcedDemo]) -> list[SourcedDemo]:
    return list({sourced.demo.digest: sourced for sourced in demos}.values())


def _score_value(row: Row) -> float:
    assert row.score is not None
    return row.score.value
