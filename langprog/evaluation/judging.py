"""Metrics that call a language program."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from pydantic_core import to_jsonable_python

from langprog.errors import InputError, MetricError
from langprog.evaluation.ranges import UNIT, Range, check_range
from langprog.evaluation.score import (
    Metric,
    Score,
)
from langprog.example import Example
from langprog.modules import Module, Prediction
from langprog.signature import FieldSpec, Plain, choices_of, without_limits

_WANTED = "wanted_"
_WORDS: Mapping[str, float] = MappingProxyType(
    {
        "yes": 1.0,
        "no": 0.0,
        "true": 1.0,
        "false": 0.0,
        "correct": 1.0,
        "incorrect": 0.0,
        "right": 1.0,
        "wrong": 0.0,
        "pass": 1.0,
        "fail": 0.0,
        "good": 1.0,
        "bad": 0.0,
        "accept": 1.0,
        "reject": 0.0,
    }
)


def judged(judge: Module, *, range: Range = UNIT) -> Metric:
    """Return a metric that calls a language program.

    Args:
        judge: A program; its inputs are filled by name from the prediction, then the example
            (an input ``wanted_NAME`` takes the example's NAME). It has an output ``score`` (a
            number or true/false) or ``verdict`` (true/false, or one of: yes, no, correct,
            incorrect, pass, fail, ...), and may have ``feedback`` (else its ``reasoning`` is it).
        range: The worst and the best score that it gives.

    Raises:
        InputError: The judge is not a program, or has no such output.
    """
    if not isinstance(judge, Module):
        raise InputError(f"the judge is a {type(judge).__name__}: judged takes a program")
    read = _reader(judge)
    told = next((name for name in ("feedback", "reasoning") if name in judge.outputs), None)

    async def metric(example: Example, prediction: Prediction) -> Score:
        values = {
            name: _input(name, example, prediction, judge.inputs[name]) for name in judge.inputs
        }
        verdict = await judge.acall(**values)
        words = None if told is None else verdict.get(told)
        return Score(read(verdict), None if words is None else str(words))

    # The name must not contain an object's address: artifacts store it.
    metric.score_range = check_range(range)  # type: ignore[attr-defined]  # see ranges
    metric.__qualname__ = f"judged({', '.join(judge.inputs)} -> {', '.join(judge.outputs)})"
    return metric


def _reader(judge: Module) -> Callable[[Prediction], float]:
    for name in ("score", "verdict"):
        if name not in judge.outputs:
            continue
        field = judge.outputs[name]
        choices = choices_of(field.annotation)
        if choices is not None:
            return _reader_of_words(name, choices)
        shape = without_limits(field.shape)
        if not isinstance(shape, Plain) or shape.type is str:
            raise InputError(
                f"the judge's output {name!r} is {field.type_phrase or 'text'}: "
                "declare it as float, int or bool, or as a Literal such as yes, no"
            )
        return lambda verdict: float(verdict[name])
    raise InputError(
        "a judge needs an output named 'score' (a number or true/false) or 'verdict' "
        f"(true/false, yes/no, ...); it has {', '.join(judge.outputs)}"
    )


def _reader_of_words(name: str, choices: Mapping[str, Any]) -> Callable[[Prediction], float]:
    unknown = [label for label in choices if label.casefold() not in _WORDS]
    if unknown:
        raise InputError(
            f"the judge's output {name!r} can be {unknown[0]!r}, which is not a known verdict; "
            f"known are {', '.join(_WORDS)}, or declare it as a number"
        )
    values = {value: _WORDS[label.casefold()] for label, value in choices.items()}
    return lambda verdict: values[verdict[name]]


def _input(name: str, example: Example, prediction: Prediction, field: FieldSpec) -> Any:
    wanted = name.removeprefix(_WANTED)
    if wanted != name and wanted in example:
        value = example[wanted]
    elif name in prediction:
        value = prediction[name]
    elif name in example:
        value = example[name]
    else:
        raise MetricError(
            f"the judge's input {name!r} is in neither prediction ({', '.join(prediction)}) "
            f"nor example ({', '.join(example)})"
        )
    # A judge usually reads text, whatever type it judges.
    text = without_limits(field.shape) == Plain(str)
    if not text or isinstance(value, str):
        return value
    plain = to_jsonable_python(value)
    return plain if isinstance(plain, str) else json.dumps(plain, ensure_ascii=False)
