"""Two programs are the same when every prompt that they send is the same, byte for byte."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from langprog.artifact.nodes import program_to_json
from langprog.modules import Module, Predict
from langprog.signature import FieldSpec, choices_of, optional_of

SAMPLES: Mapping[type, Any] = {str: "some text", int: 7, float: 0.5, bool: True}


def same_prompts(one: Module, other: Module) -> str | None:
    """Return the first difference between two programs in words, or ``None``."""
    left, right = one.predictors(), other.predictors()
    if list(left) != list(right):
        return f"predictors {', '.join(left)} against {', '.join(right)}"
    for path, predictor in left.items():
        again = right[path]
        for inputs in _sample_inputs(predictor):
            # Inputs are read back through the other's own types, which may be rebuilt ones.
            same = {
                name: again.signature.inputs[name].validate(value)
                for name, value in _plain(predictor, inputs).items()
            }
            if predictor.render(inputs) != again.render(same):
                return f"the prompt of {path}"
        for name in ("model", "adapter", "sampling"):
            if getattr(predictor, name) != getattr(again, name):
                return f"the {name} of {path}"
    return None if program_to_json(one) == program_to_json(other) else "the structure"


def _plain(predictor: Predict, inputs: Mapping[str, Any]) -> dict[str, Any]:
    fields = predictor.signature.inputs
    return {name: fields[name].plain(value) for name, value in inputs.items()}


def _sample_inputs(predictor: Predict) -> Iterator[dict[str, Any]]:
    fields = predictor.signature.inputs
    yield {name: sample for name, field in fields.items() if (sample := _sample(field)) != ()}
    for demo in predictor.demos:
        yield {name: demo[name] for name in fields if name in demo}


def _sample(field: FieldSpec) -> Any:
    if field.constraints:
        return ()
    if field.annotation in SAMPLES:
        return SAMPLES[field.annotation]
    if optional_of(field.annotation) is not None:
        return None
    choices = choices_of(field.annotation)
    return next(iter(choices.values())) if choices else ()
