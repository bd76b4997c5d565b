"""Two programs are the same when every prompt that they send is the same, byte for byte."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import Any

from langprog.adapters import ADAPTERS, AUTO, Adapter, adapter_named, same_adapter
from langprog.artifact.nodes import program_to_json
from langprog.artifact.samples import sample_of
from langprog.errors import InputError
from langprog.lm import model_name
from langprog.modules import Module, Parameter, Predict

Rows = Sequence[Mapping[str, Any]]


def difference_of(one: Module, other: Module, rows: Rows = ()) -> str | None:
    """Return the first difference between two programs in words, or ``None``.

    Every predictor's prompts are compared for its demonstrations' inputs, for values made from its
    types, and for ``rows`` where they have its inputs; in every adapter where it names none.

    Args:
        one: A program.
        other: What it became.
        rows: Inputs by name.
    """
    left, right = one.predictors(), other.predictors()
    if list(left) != list(right):
        return f"predictors {', '.join(left)} against {', '.join(right)}"
    for path, predictor in left.items():
        found = _difference(predictor, right[path], rows)
        if found is not None:
            return f"{found} of {path}"
    if not same_values(one, other):
        return "its parameters"
    return None if program_to_json(one) == program_to_json(other) else "its structure"


def same_values(one: Module, other: Module) -> bool:
    """Return whether all parameters have the same values (demonstrations: those in prompts)."""
    left, right = one.parameters(), other.parameters()
    return list(left) == list(right) and all(_same_value(left[key], right[key]) for key in left)


def _same_value(first: Parameter, second: Parameter) -> bool:
    if first.kind != second.kind:
        return False
    if first.kind == "model":  # an artifact has models by name
        return model_name(first.value) == model_name(second.value)
    if first.kind == "adapter":
        return same_adapter(first.value, second.value)
    return bool(first.kind == "demos" or first.value == second.value)


def _difference(one: Predict, other: Predict, rows: Rows) -> str | None:
    if model_name(one.model) != model_name(other.model):
        return "the model"
    if not same_adapter(one.adapter, other.adapter):
        return "the adapter"
    if one.sampling != other.sampling:
        return "the sampling"
    for adapter, again in zip(_adapters(one), _adapters(other), strict=True):
        name = adapter.name
        if adapter.response_schema(one.signature) != again.response_schema(other.signature):
            return f"the {name} reply's schema"
        if adapter.tools(one.signature) != again.tools(other.signature):
            return f"the {name} adapter's tools"
        for values in _inputs(one, rows):
            # Inputs are read back through the other's own types, which may be rebuilt ones.
            before = adapter.render(one.signature, one.demos, _read(one, values))
            after = again.render(other.signature, other.demos, _read(other, values))
            for first, second in zip_longest(before, after):
                if first != second:
                    role = "missing" if first is None else first.role
                    return f"the {name} prompt ({role} message)"
    return None


def _adapters(predictor: Predict) -> Iterable[Adapter]:
    adapter = predictor.adapter
    if adapter is None or adapter == AUTO:
        return ADAPTERS.values()
    return [adapter_named(adapter) if isinstance(adapter, str) else adapter]


def _read(predictor: Predict, values: Mapping[str, Any]) -> dict[str, Any]:
    fields = predictor.signature.inputs
    return {name: fields[name].validate(value) for name, value in values.items()}


def _inputs(predictor: Predict, rows: Rows) -> Iterator[dict[str, Any]]:
    """Yield inputs as plain data."""
    fields = predictor.signature.inputs
    samples = {name: sample_of(field) for name, field in fields.items()}
    for turn in range(max(map(len, samples.values()))):
        yield {name: found[turn % len(found)] for name, found in samples.items() if found}
    for row in [*predictor.demos, *rows]:
        try:
            yield {name: field.plain(row[name]) for name, field in fields.items() if name in row}
        except InputError:  # a canary row of another program's step with the same name
            continue
