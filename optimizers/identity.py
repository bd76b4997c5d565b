"""What identifies a compile: digests of program, data and metric, and the knobs.

A journal starts with it, and an artifact's evidence contains it.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from types import CodeType, FunctionType
from typing import Any

from langprog import Example, Module
from langprog.adapters import reference_of
from langprog.checks import Check
from langprog.lm import LanguageModel, ModelRef, model_name
from langprog.sources import source_of

# Metadata key of knobs that affect only the speed of an optimizer.
OPERATIONAL = "operational"


def text_digest(text: str) -> str:
    """Return sixteen hexadecimal digits for ``text``."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def json_digest(value: Any) -> str:
    """Return sixteen hexadecimal digits for a JSON value."""
    return text_digest(json.dumps(value, sort_keys=True, ensure_ascii=False))


def data_digest(examples: Sequence[Example]) -> str:
    """Return sixteen hexadecimal digits for ``examples``, in their order."""
    return json_digest([example.digest for example in examples])


def program_digest(program: Module) -> str:
    """Return sixteen hexadecimal digits for everything that determines what ``program`` does."""
    parts: dict[str, Any] = {}
    for path, module in program.named_modules().items():
        parts[path] = {"class": _identify_class(type(module))}
    predictors = program.predictors()
    for path, predictor in predictors.items():
        parts[path]["signature"] = predictor.signature.digest
        parts[path]["demos"] = [demo.digest for demo in predictor.demos]
        if predictor.checks:
            parts[path]["checks"] = [predictor.reasks, *map(_identify_check, predictor.checks)]
    for key, parameter in program.parameters().items():
        value = parameter.value
        if parameter.kind == "adapter" and value is not None:
            value = reference_of(value)
        if parameter.kind == "demos":  # the repr of an example is truncated
            value = [demo.digest if isinstance(demo, Example) else demo for demo in value]
        # Instructions and demonstrations of predictors are in the digests above.
        predictor = predictors.get(key.rpartition(".")[0])
        known = predictor is not None
        # Without nearest demonstrations the digest is what it was before there were any, as it is
        # for outputs that are asked for as declared.
        absent = parameter.kind == "nearest" and value is None
        if predictor is not None and parameter.kind == "structure":
            absent = value == tuple(predictor.outputs)
        if not absent and (not known or parameter.kind not in ("instruction", "demos")):
            parts[key] = repr(model_name(value) if parameter.kind == "model" else value)
    frozen = program.frozen_parts()
    if frozen:  # the same program, but a search may set less
        parts["frozen parts"] = list(frozen)
    return json_digest(parts)


def _identify_check(check: Check) -> list[Any]:
    rule = check.rule
    what: list[Any] = (
        [_describe_value(check.function)]
        if rule is None
        else [rule.kind, rule.field, rule.options()]
    )
    return [check.level, check.message, *what]


def metric_digest(metric: Callable[..., Any]) -> str:
    """Return sixteen hexadecimal digits for what a metric computes, as far as can be inspected.

    A function is identified by its source and closure, an object by its class and fields.
    """
    return text_digest(_describe_value(metric))


def describe_knobs(optimizer: Any) -> dict[str, Any]:
    """Return an optimizer's knobs as a JSON object, except those that affect only its speed."""
    return {
        knob.name: _describe_knob(getattr(optimizer, knob.name))
        for knob in fields(optimizer)
        if not knob.metadata.get(OPERATIONAL)
    }


def _describe_knob(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return [_describe_knob(item) for item in value]
    if isinstance(value, Mapping):
        return {key: _describe_knob(item) for key, item in value.items()}
    if isinstance(value, (ModelRef, LanguageModel)):
        return value.name
    if is_dataclass(value) and not isinstance(value, type):
        return {"name": type(value).__name__, **describe_knobs(value)}
    if isinstance(value, Module):
        return program_digest(value)
    return value


def _identify_class(kind: type) -> str:
    name = f"{kind.__module__}.{kind.__qualname__}"
    # Our modules keep their behaviour across versions, so their name is enough; a user's class
    # is identified by its source.
    return name if kind.__module__.startswith("langprog.") else f"{name} {_digest_source(kind)}"


def _digest_source(thing: Any) -> str:
    if isinstance(thing, FunctionType) and thing.__name__ == "<lambda>":
        # The source lines of a lambda include the call around it and its other arguments.
        return text_digest(_describe_code(thing.__code__))
    try:
        return text_digest(source_of(thing))
    except (OSError, TypeError):
        return ""


def _describe_code(code: CodeType) -> str:
    constants = [
        _describe_code(item) if isinstance(item, CodeType) else repr(item)
        for item in code.co_consts
    ]
    return f"{code.co_code.hex()} {constants} {code.co_names}"


def _describe_value(value: Any, depth: int = 8) -> str:
    """Describe a value by its content: functions by source and closure."""
    if depth == 0:
        return type(value).__qualname__
    if isinstance(value, FunctionType):
        cells = [cell.cell_contents for cell in value.__closure__ or ()]
        defaults = [*(value.__defaults__ or ()), *(value.__kwdefaults__ or {}).values()]
        inside = " ".join(_describe_value(item, depth - 1) for item in [*cells, *defaults])
        return f"{value.__module__}.{value.__qualname__} {_digest_source(value)} {inside}"
    if isinstance(value, (str, int, float, bool, type(None), ModelRef)):
        return repr(value.name if isinstance(value, ModelRef) else value)
    if isinstance(value, Module):
        return program_digest(value)
    if isinstance(value, Mapping):
        return _describe_value(list(value.items()), depth)
    if isinstance(value, (list, tuple)):
        return "(" + " ".join(_describe_value(item, depth - 1) for item in value) + ")"
    if is_dataclass(value) and not isinstance(value, type):
        named = [(knob.name, getattr(value, knob.name)) for knob in fields(value)]
        return f"{_identify_class(type(value))} {_describe_value(named, depth)}"
    if isinstance(value, type):
        return _identify_class(value)
    try:
        inside = vars(value)
    except TypeError:  # an object without a dict, such as a built-in function
        return str(getattr(value, "__qualname__", type(value).__qualname__))
    return f"{_identify_class(type(value))} {_describe_value(inside, depth - 1)}"


# Every decision has its own random stream, so that an extra draw in one stage leaves the other
# stages unchanged, and nothing depends on the order in which answers arrive.


def derive_seed(seed: int, *names: str | int) -> int:
    """Return a seed in [0, 2**31) for the stream called ``names``.

    Example: ``derive_seed(0, "propose", 3)`` is the same number in every process.
    """
    text = "\x1f".join(str(part) for part in (seed, *names))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") >> 1


def random_stream(seed: int, *names: str | int) -> random.Random:
    """Return a generator for the stream called ``names``."""
    return random.Random(derive_seed(seed, *names))
