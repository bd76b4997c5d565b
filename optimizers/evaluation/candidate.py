"""A candidate: the parameters that it changes, as a value with a digest."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, is_dataclass
from enum import Enum
from functools import cached_property
from types import MappingProxyType
from typing import Any, TypeVar

from langprog import Example, ModelRef, Module, NearestDemos, Sampling
from langprog.notebook import shorten

M = TypeVar("M", bound=Module)
Values = Mapping[str, Any]


@dataclass(frozen=True)
class Candidate:
    """Parameters by key (as in ``program.parameters()``); all others stay unchanged.

    Args:
        parameters: The values that differ from the input program's.
        label: A description; not part of its identity.
    """

    parameters: Values = field(default_factory=lambda: MappingProxyType({}))
    label: str = field(default="the program as it is", compare=False)

    @classmethod
    def of(cls, program: Module, values: Values, label: str = "") -> Candidate:
        """Return the candidate that sets ``values``, except those that ``program`` already has.

        Thus equal programs are equal candidates. Values of frozen parts are left out, as no
        search may change them.
        """
        now, frozen = program.parameters(), program.frozen_parts()
        changed = {
            key: values[key]
            for key in sorted(values)
            if (key not in now or now[key].value != values[key])
            and key.rpartition(".")[0] not in frozen
        }
        if not changed:
            return cls()
        return cls(MappingProxyType(changed), label or ", ".join(changed))

    @cached_property
    def digest(self) -> str:
        """Sixteen hexadecimal digits that name the parameters."""
        text = json.dumps(self.to_json(), sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def __hash__(self) -> int:
        return hash(self.digest)

    def apply(self, program: Module) -> Module:
        """Return ``program`` with these parameters; ``program`` itself is not changed."""
        return program.with_parameters(self.parameters) if self.parameters else program

    def over(self, earlier: Candidate) -> Candidate:
        """Return ``earlier``'s parameters with these on top."""
        if not self.parameters:
            return earlier
        if not earlier.parameters:
            return self
        merged = {**earlier.parameters, **self.parameters}
        ordered = MappingProxyType({key: merged[key] for key in sorted(merged)})
        return Candidate(ordered, f"{earlier.label}; {self.label}")

    def to_json(self) -> dict[str, Any]:
        """Return the parameters as a JSON object."""
        return {key: parameter_to_json(value) for key, value in self.parameters.items()}

    def __repr__(self) -> str:
        names = shorten(", ".join(self.parameters), 400) or "nothing"
        return f"Candidate({shorten(self.label, 200)!r}, sets {names})"

    @property
    def weight(self) -> tuple[int, int]:
        """How much it changes: parameters, then characters. Breaks ties: less is better."""
        return len(self.parameters), len(json.dumps(self.to_json()))


def tunable_predictors(program: Module) -> dict[str, Any]:
    """Return the predictors that are not frozen, by path."""
    frozen = program.frozen_parts()
    predictors = program.predictors().items()
    return {path: predictor for path, predictor in predictors if path not in frozen}


def tunable_modules(program: Module, kind: type[M]) -> dict[str, M]:
    """Return the modules of a class that are not frozen, by path."""
    frozen = program.frozen_parts()
    return {
        path: module for path, module in program.modules_of(kind).items() if path not in frozen
    }


def own_texts(program: Module) -> dict[str, str]:
    """Return the texts that a program's own modules declare and a search may set, by key."""
    frozen, predictors = program.frozen_parts(), program.predictors()
    return {
        key: parameter.value
        for key, parameter in program.parameters().items()
        if parameter.kind in ("text", "instruction")
        and isinstance(parameter.value, str)
        and (path := key.rpartition(".")[0]) not in predictors
        and path not in frozen
    }


def parameter_to_json(value: Any) -> Any:
    """Return a parameter's value as JSON: texts, numbers, models, demonstrations and sampling."""
    if isinstance(value, tuple):
        return [parameter_to_json(item) for item in value]
    if isinstance(value, Example):
        return json.loads(json.dumps(value.to_dict(), default=to_json_value))
    if isinstance(value, NearestDemos):
        return value.to_json()
    if isinstance(value, ModelRef):
        return value.name
    if isinstance(value, Sampling):
        return {name: part for name, part in asdict(value).items() if part not in (None, ())}
    return value


def to_json_value(value: Any) -> Any:
    """Return the JSON form of a typed field value: an enum, a dataclass, a pydantic model."""
    if isinstance(value, Enum):
        return value.value
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if isinstance(value, (set, frozenset)):
        return sorted(value, key=str)  # whose own order differs from process to process
    dump = getattr(value, "model_dump", None)  # pydantic's, without importing it for this alone
    return dump(mode="json") if dump is not None else str(value)
