"""Comparing programs: they are equal if all their prompts are equal, byte for byte."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import Any

from langprog.adapters import ADAPTERS, AUTO, Adapter, adapter_named, same_adapter
from langprog.artifact.nodes import program_to_json
from langprog.artifact.samples import sample_values
from langprog.errors import InputError
from langprog.lm import Message, model_name
from langprog.modules import Module, Parameter, Predict

Rows = Sequence[Mapping[str, Any]]


def difference_of(first: Module, second: Module, rows: Rows = ()) -> str | None:
    """Describe the first difference between two programs, or return ``None``.

    Every predictor's prompts are compared for its demonstrations' inputs, for sample values of its
    types, and for ``rows`` that have its inputs; in every adapter if it names none.

    Args:
        first: A program.
        second: Its restored version.
        rows: Inputs by name.
    """
    left, right = first.predictors(), second.predictors()
    if list(left) != list(right):
        return f"predictors {', '.join(left)} against {', '.join(right)}"
    for path, predictor in left.items():
        difference = _predictor_difference(predictor, right[path], rows)
        if difference is not None:
            return f"{difference} of {path}"
    if not same_values(first, second):
        return "its parameters"
    return None if program_to_json(first) == program_to_json(second) else "its structure"


def same_values(first: Module, second: Module) -> bool:
    """Return whether all parameters are equal (demonstrations are compared in prompts)."""
    left, right = first.parameters(), second.parameters()
    return list(left) == list(right) and all(_same_value(left[key], right[key]) for key in left)


def _same_value(first: Parameter, second: Parameter) -> bool:
    if first.kind != second.kind:
        return False
    if first.kind == "model":  # an artifact stores models by name
        return model_name(first.value) == model_name(second.value)
    if first.kind == "adapter":
        return same_adapter(first.value, second.value)
    return bool(first.kind == "demos" or first.value == second.value)


def _predictor_difference(first: Predict, second: Predict, rows: Rows) -> str | None:
    if model_name(first.model) != model_name(second.model):
        return "the model"
    if not same_adapter(first.adapter, second.adapter):
        return "the adapter"
    if first.sampling != second.sampling:
        return "the sampling"
    for adapter, again in zip(_adapters(first), _adapters(second), strict=True):
        name = adapter.name
        if adapter.response_schema(first.signature) != again.response_schema(second.signature):
            return f"the {name} reply's schema"
        if adapter.tools(first.signature) != again.tools(second.signature):
            return f"the {name} adapter's tools"
        for values in _inputs(first, rows):
            # Each program parses inputs with its own types, which may be rebuilt ones.
            before = _render(adapter, first, values)
            after = _render(again, second, values)
            for message, changed in zip_longest(before, after):
                if message != changed:
                    role = "missing" if message is None else message.role
                    return f"the {name} prompt ({role} message)"
    return None


def _adapters(predictor: Predict) -> Iterable[Adapter]:
    adapter = predictor.adapter
    if adapter is None or adapter == AUTO:
        return ADAPTERS.values()
    return [adapter_named(adapter) if isinstance(adapter, str) else adapter]


def _render(
    adapter: Adapter, predictor: Predict, values: Mapping[str, Any]
) -> tuple[Message, ...]:
    fields = predictor.signature.inputs
    inputs = {name: fields[name].validate(value) for name, value in values.items()}
    # Nearest demonstrations are compared as a whole: choosing them may call the user's code.
    return adapter.render(predictor.signature, predictor.demos, inputs)


def _inputs(predictor: Predict, rows: Rows) -> Iterator[dict[str, Any]]:
    """Yield inputs to compare, as plain data."""
    fields = predictor.signature.inputs
    samples = {name: sample_values(field) for name, field in fields.items()}
    for turn in range(max(map(len, samples.values()))):
        yield {name: made[turn % len(made)] for name, made in samples.items() if made}
    for row in [*predictor.demos, *rows]:
        try:
            yield {name: field.plain(row[name]) for name, field in fields.items() if name in row}
        except InputError:  # a canary row of another program's step with the same name
            continue
