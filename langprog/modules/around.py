"""The base class of modules with the inputs and outputs of a module inside them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

from langprog.errors import (
    CheckError,
    ContentFilterError,
    ContextWindowError,
    InputError,
    ParseError,
    SignatureError,
    TransportError,
    TruncatedError,
)
from langprog.modules.base import Module
from langprog.modules.prediction import Prediction
from langprog.signature import FieldSpec

# Failures of one model or sample after which another one is tried.
SURVIVED = (
    TransportError,
    ParseError,
    CheckError,
    ContextWindowError,
    ContentFilterError,
    TruncatedError,
)


class Around(Module):
    """Base class of modules with the inputs and outputs of a module inside."""

    @property
    @abstractmethod
    def inner(self) -> Module:
        """The module that determines inputs and outputs."""

    @property
    def retries(self) -> bool:
        """Whether a later call of a part replaces an earlier one: yes, one answer is returned."""
        return True

    @property
    def inputs(self) -> Mapping[str, FieldSpec]:
        """Input fields by name: those of the module inside."""
        return self.inner.inputs

    @property
    def outputs(self) -> Mapping[str, FieldSpec]:
        """Output fields by name: those of the module inside."""
        return self.inner.outputs

    def input_names(self) -> tuple[str, ...]:
        """Return the names of the inputs: those of the module inside."""
        return self.inner.input_names()


def check_module(value: Any, place: str) -> Module:
    """Return ``value`` if it is a module.

    Raises:
        InputError: It is not.
    """
    if not isinstance(value, Module):
        raise InputError(f"{place} is a {type(value).__name__}, not a module")
    return value


def check_count(value: Any, place: str) -> int:
    """Return ``value`` if it is a valid number of samples.

    Raises:
        InputError: It is not.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise InputError(f"{place} must be a number of samples, 1 or more, not {value!r}")
    return value


def check_verdict(judge: Module, place: str) -> None:
    """Check that a judge's first output is a bool or a number.

    Raises:
        InputError: It is not.
    """
    first = next(iter(judge.outputs.values()))
    if first.annotation not in (bool, int, float):
        raise InputError(
            f"{place} returns {first.name!r} as {first.type_phrase or 'text'}: its first output "
            "must be a bool or a number"
        )


async def judge_answer(judge: Module, inputs: Mapping[str, Any], answer: Prediction) -> float:
    """Return a judge's verdict on an answer, as a number.

    Args:
        judge: A module whose first output is a bool or a number; it receives the inputs and
            outputs that match its own inputs.
        inputs: The program's inputs.
        answer: The program's answer.

    Raises:
        SignatureError: The judge has an input that is not available.
    """
    known = {**inputs, **answer}
    wanted = judge.input_names()
    missing = [name for name in wanted if name not in known and judge.needs_input(name)]
    if missing:
        raise SignatureError(
            f"the judge takes {', '.join(missing)}, but available are only {', '.join(known)}"
        )
    verdict = await judge.acall(**{name: known[name] for name in wanted if name in known})
    return float(next(iter(verdict.values())))
