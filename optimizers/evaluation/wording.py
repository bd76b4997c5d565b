"""How a task, a program, examples and mistakes are written for the proposer.

The embedded models are trained on exactly these formats.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from enum import Enum
from typing import Any

from langprog import Example, Module
from langprog.signature import FieldSpec, SignatureSpec
from optimizers.evaluation.candidate import to_json_value

MOST_EXAMPLES = 6
MOST_MISTAKES = 4
# Longer values are truncated, so that six examples fit any prompt.
MOST_CHARACTERS = 400


def program_text(program: Module) -> str:
    """Return one line per predictor: ``team: ticket -> team``."""
    return "\n".join(
        f"{path}: {', '.join(predictor.inputs)} -> {', '.join(predictor.outputs)}"
        for path, predictor in program.predictors().items()
    )


def task_text(signature: SignatureSpec) -> str:
    """Return the fields with their types: ``ticket -> team (one of: billing, network)``."""
    return f"{_list_fields(signature.inputs)} -> {_list_fields(signature.outputs)}"


def example_text(signature: SignatureSpec, example: Mapping[str, Any]) -> str:
    """Return one line per field, inputs first: ``ticket: my invoice is wrong``."""
    return "\n".join(
        f"{name}: {value_text(example[name])}"
        for name in (*signature.inputs, *signature.outputs)
        if name in example
    )


def examples_text(signature: SignatureSpec, examples: Iterable[Mapping[str, Any]]) -> str:
    """Return examples with a blank line between them."""
    return "\n\n".join(example_text(signature, example) for example in examples)


def mistake_text(
    signature: SignatureSpec,
    inputs: Mapping[str, Any],
    answered: Mapping[str, Any],
    wanted: Example,
    feedback: str | None,
) -> str:
    """Return a mistake: inputs, the answer, the expected outputs, the metric's feedback."""
    lines = [f"{name}: {value_text(inputs[name])}" for name in signature.inputs if name in inputs]
    labelled = [name for name in signature.outputs if name in wanted and name in answered]
    several = len(labelled) > 1
    for name in labelled:
        mark = f" {name}" if several else ""
        lines.append(f"answered{mark}: {value_text(answered[name])}")
        lines.append(f"wanted{mark}: {value_text(wanted[name])}")
    if feedback:
        lines.append(f"feedback: {value_text(feedback)}")
    return "\n".join(lines)


def value_text(value: Any) -> str:
    """Return a value as text: strings and labels as they are, everything else as JSON."""
    if isinstance(value, Enum):
        value = value.value
    text = (
        value
        if isinstance(value, str)
        else json.dumps(value, ensure_ascii=False, default=to_json_value)
    )
    return text if len(text) <= MOST_CHARACTERS else text[:MOST_CHARACTERS].rstrip() + " ..."


def _list_fields(fields: Mapping[str, FieldSpec]) -> str:
    return ", ".join(
        f"{name} ({field.type_phrase})" if field.type_phrase else name
        for name, field in fields.items()
    )
