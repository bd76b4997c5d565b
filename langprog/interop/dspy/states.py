"""DSPy's states (``program.save("state.json")``): read into a program, and written from one.

A state has instructions, demonstrations and a model for each predictor, and not the program. So it
is read into the program that it belongs to: one of DSPy, or one of ours with the same predictors.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from langprog.errors import InputError
from langprog.evaluation import Report
from langprog.example import Example
from langprog.interop.contract import Exported, Imported
from langprog.interop.reading import read_json
from langprog.lm import Sampling, model_name
from langprog.modules import Module, Predict, demo_to_data
from langprog.signature import SignatureSpec

# DSPy's name of a predictor that is the whole program.
SELF = "self"
# What DSPy writes into demonstrations beside their fields.
_MARKS = frozenset({"augmented"})
_METADATA = "metadata"


def read_state(path: Path, program: Module | None, options: Mapping[str, str]) -> Imported:
    """Read a state into the program that it belongs to.

    Args:
        path: The file.
        program: The program.
        options: None are taken.

    Raises:
        InputError: It is not a state of DSPy, or not one of this program.
    """
    assert program is not None  # the format says that it needs one
    state = _read(path)
    whole = getattr(program, "with_state", None)
    if whole is not None:
        return Imported(program=whole(state))
    return _read_into(program, state, str(path))


def _read(path: Path) -> dict[str, Any]:
    data = read_json(path)
    parts = {name: part for name, part in data.items() if name != _METADATA} if _is(data) else {}
    if "signature" in parts:  # of a single predictor, whose state has no name
        parts = {SELF: parts}
    if not parts or not all(_is(part) and _is(part.get("signature")) for part in parts.values()):
        raise InputError(
            f"{path} is not a state of DSPy: write it with program.save('state.json'), without "
            "save_program=True"
        )
    return parts


def _is(value: Any) -> bool:
    return isinstance(value, dict)


def check_names(names: list[str], state: Mapping[str, Any]) -> None:
    """Check that a state is for these predictors.

    Raises:
        InputError: One is missing, or there is another one.
    """
    if sorted(names) != sorted(state):
        raise InputError(
            f"the state is for {', '.join(state)}, but the program has {', '.join(names)}"
        )


def _read_into(program: Module, state: Mapping[str, Any], place: str) -> Imported:
    predictors = program.predictors()
    names = {_dspy_path(path, program): path for path in predictors}
    check_names(list(names), state)
    values: dict[str, Any] = {}
    notes = []
    for name, path in names.items():
        predictor, part = predictors[path], state[name]
        values[f"{path}.instruction"] = str(part["signature"].get("instructions", ""))
        values[f"{path}.demos"] = [
            _demo_from(demo, predictor.signature, f"{place}: a demonstration of {name}")
            for demo in part.get("demos") or ()
        ]
        lm = part.get("lm")
        if _is(lm) and isinstance(lm.get("model"), str):
            values[f"{path}.model"] = lm["model"]
            values[f"{path}.sampling"] = Sampling(
                temperature=lm.get("temperature"), max_tokens=lm.get("max_tokens")
            ).over(predictor.sampling)
        if _descriptions(part) != _descriptions(_signature_state(predictor.signature)):
            notes.append(f"the descriptions of the fields of {path} are those of the program")
    return Imported(program=program.with_parameters(values), notes=tuple(notes))


def _descriptions(part: Mapping[str, Any]) -> list[str]:
    signature = part.get("signature", part)
    return [str(field.get("description")) for field in signature.get("fields", ())]


def _demo_from(demo: Any, signature: SignatureSpec, place: str) -> Example:
    if not _is(demo):
        raise InputError(f"{place} is a {type(demo).__name__}, not an object")
    fields = {field.name: field for field in signature.fields}
    values = {
        name: fields[name].validate(value)
        for name, value in demo.items()
        if name in fields and value is not None
    }
    unknown = demo.keys() - fields.keys() - _MARKS
    if unknown:
        raise InputError(f"{place} has the field {min(unknown)!r}, which the signature lacks")
    return Example(**values)


# --- writing -------------------------------------------------------------------------------------


def write_state(program: Module, options: Mapping[str, str], runs: Report | None) -> Exported:
    """Return a program's parameters as a state of DSPy.

    Args:
        program: One of :func:`langprog.from_dspy`, or one of ours, for a program of DSPy with the
            same predictors.
        options: None are taken.
        runs: None are needed.
    """
    whole = getattr(program, "to_state", None)
    if whole is not None:
        return Exported(_text(whole()))
    state: dict[str, Any] = {}
    notes = []
    for path, predictor in program.predictors().items():
        state[_dspy_path(path, program)] = _state_of(predictor)
        if predictor.nearest is not None:
            notes.append(f"the nearest demonstrations of {path} are not in it")
        if predictor.checks:
            notes.append(f"the checks of {path} are not in it")
    if list(state) == [SELF]:
        state = state[SELF]
    notes.append("DSPy writes prompts of its own, for which no certificate was given")
    return Exported(_text(state), tuple(notes))


def _text(state: Mapping[str, Any]) -> str:
    versions = {"python": ".".join(platform.python_version_tuple()[:2])}
    for package in ("dspy", "cloudpickle"):
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    if "cloudpickle" in versions:
        versions["cloudpickle"] = ".".join(versions["cloudpickle"].split(".")[:2])
    whole = {**state, _METADATA: {"dependency_versions": versions}}
    return json.dumps(whole, indent=2, ensure_ascii=False) + "\n"


def _state_of(predictor: Predict) -> dict[str, Any]:
    signature = predictor.signature
    name, lm = model_name(predictor.model), None
    if name is not None:
        lm = {
            "model": name,
            "model_type": "chat",
            "cache": True,
            "num_retries": 3,
            "temperature": predictor.sampling.temperature,
            "max_tokens": predictor.sampling.max_tokens,
        }
    return {
        "traces": [],
        "train": [],
        "demos": [demo_to_data(signature, demo) for demo in predictor.demos],
        "signature": _signature_state(signature),
        "lm": lm,
    }


def _signature_state(signature: SignatureSpec) -> dict[str, Any]:
    ordered = [*signature.inputs.values(), *signature.outputs.values()]
    return {
        "instructions": signature.instruction,
        "fields": [
            {
                "prefix": f"{field.name.replace('_', ' ').title()}:",
                "description": field.description or f"${{{field.name}}}",
            }
            for field in ordered
        ],
    }


def _dspy_path(path: str, program: Module) -> str:
    """Return the name that DSPy gives a predictor: keys are in quotes, and the root is self."""
    if program.predicts:
        return SELF
    parts = path.split("[")
    keys = [part.partition("]") for part in parts[1:]]
    return parts[0] + "".join(
        f"[{key}]{rest}" if key.isdecimal() else f"['{key}']{rest}" for key, _, rest in keys
    )
