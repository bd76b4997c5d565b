"""Demonstrations of every predictor: where they come from, and how they are drawn."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from langprog import Example, Module
from langprog.artifact import looks_secret
from langprog.errors import InputError
from langprog.evaluation import Range, Row
from langprog.signature import FieldSpec, SignatureSpec, choices_of

DemoSet = tuple[Example, ...]

# A text output is taken for a label where its values are short and each comes up so often.
REPEATS = 3
SHORT = 40


@dataclass(frozen=True, slots=True)
class Shown:
    """A demonstration and the training example that it comes from (by digest)."""

    demo: Example
    source: str


@dataclass(frozen=True, slots=True)
class Pool:
    """Demonstrations that may be shown to each predictor, by path.

    Args:
        labelled: From the training examples' own fields.
        traced: From runs that the metric accepted.
    """

    labelled: Mapping[str, tuple[Shown, ...]]
    traced: Mapping[str, tuple[Shown, ...]]


def labelled(program: Module, train: Iterable[Example]) -> dict[str, tuple[Shown, ...]]:
    """Return for every predictor the examples that hold its inputs and outputs.

    A field in between the modules counts where the examples have it; reasoning may be lacking.
    """
    found: dict[str, list[Shown]] = {path: [] for path in program.predictors()}
    examples = tuple(train)
    for path, predictor in program.predictors().items():
        for example in examples:
            demo = _projected(predictor.signature, example)
            if demo is not None and _may_be_shown(demo):
                found[path].append(Shown(demo, example.digest))
    return {path: tuple(shown) for path, shown in found.items()}


def traced(program: Module, rows: Iterable[Row]) -> dict[str, tuple[Shown, ...]]:
    """Return for every predictor what it was given and answered in ``rows``.

    Where the example has a field of that name, its value takes the place of the answered one. A
    predictor that was called several times for one example gives one demonstration, the last:
    loops end with their best.
    """
    predictors = program.predictors()
    found: dict[str, list[Shown]] = {path: [] for path in predictors}
    for row in rows:
        steps = {step.path: step for step in row.trace if step.listed and step.failure is None}
        for path, step in steps.items():
            if path in predictors:
                values = {**step.inputs, **step.outputs}
                values.update(_labels(predictors[path].signature.outputs, row.example))
                demo = Example(**values)
                if _may_be_shown(demo):
                    found[path].append(Shown(demo, row.example.digest))
    return {path: tuple(shown) for path, shown in found.items()}


def passing(rows: Sequence[Row], threshold: float | None, range: Range) -> list[Row]:
    """Return the rows whose score is good enough to learn from.

    Args:
        rows: Rows with and without a score.
        threshold: Lowest score that is; ``None``: the best score where any row has it, else the
            best quarter of the rows above the worst.
        range: The worst and the best score.
    """
    scored = [row for row in rows if row.score is not None and row.prediction is not None]
    values = sorted((_value(row) for row in scored), reverse=True)
    if threshold is None:
        low, high = range
        if not values or values[0] <= low:
            return []
        threshold = high if values[0] >= high else values[(len(values) - 1) // 4]
        threshold = max(threshold, min(value for value in values if value > low))
    return [row for row in scored if _value(row) >= threshold]


def drawn(
    shown: Sequence[Shown], size: int, signature: SignatureSpec, rng: random.Random
) -> tuple[Shown, ...]:
    """Draw ``size`` demonstrations that cover the labels.

    One of every label in turn, as long as there are any, in an order that ``rng`` decides; where
    no output is a label, any. No two are the same.
    """
    groups: dict[tuple[str, ...], list[Shown]] = {}
    labels = labels_of(signature, shown)
    for one in _distinct(shown):
        key = tuple(str(one.demo.get(name)) for name in labels)
        groups.setdefault(key, []).append(one)
    queues = [groups[key] for key in sorted(groups)]
    for queue in queues:
        rng.shuffle(queue)
    rng.shuffle(queues)
    picked: list[Shown] = []
    while len(picked) < size and any(queues):
        for queue in queues:
            if queue and len(picked) < size:
                picked.append(queue.pop())
    rng.shuffle(picked)
    return tuple(picked)


def labels_of(signature: SignatureSpec, shown: Sequence[Shown]) -> dict[str, int]:
    """Return the outputs whose value is one of a few, and of how many.

    By their type (Literal, Enum, bool), or because short values repeat in what is ``shown``.
    """
    found = {}
    for name, field in signature.outputs.items():
        choices = choices_of(field.annotation)
        if choices is not None:
            found[name] = len(choices)
        elif field.annotation is bool:
            found[name] = 2
        else:
            values = [str(one.demo.get(name)) for one in shown if name in one.demo]
            different = len(set(values))
            if different * REPEATS <= len(values) and all(len(one) <= SHORT for one in values):
                found[name] = different
    return found


def _may_be_shown(demo: Example) -> bool:
    # An artifact refuses to hold a key or a password; so none is chosen to be shown.
    return not any(looks_secret(str(value)) for value in demo.values())


def _projected(signature: SignatureSpec, example: Example) -> Example | None:
    if any(name not in example for name in signature.inputs):
        return None
    outputs = _labels(signature.outputs, example)
    # What a demonstration leaves out, the model learns to leave out; nobody labels reasoning.
    if not outputs or signature.outputs.keys() - outputs.keys() - {"reasoning"}:
        return None
    try:
        inputs = {name: field.validate(example[name]) for name, field in signature.inputs.items()}
    except InputError:
        return None
    return Example(**inputs, **outputs)


def _labels(outputs: Mapping[str, FieldSpec], example: Example) -> dict[str, Any]:
    values = {}
    for name, field in outputs.items():
        if name in example:
            try:
                values[name] = field.validate(example[name])
            except InputError:
                continue  # a label of another form than the field's is no label for it
    return values


def _distinct(shown: Iterable[Shown]) -> list[Shown]:
    return list({one.demo.digest: one for one in shown}.values())


def _value(row: Row) -> float:
    assert row.score is not None
    return row.score.value
