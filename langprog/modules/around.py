"""A module that answers what the module inside it answers, in another way."""

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

# What one model or one sample may do wrong while another one does not.
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
        """The module whose inputs and outputs these are."""

    @property
    def inputs(self) -> Mapping[str, FieldSpec]:
        """Input fields by name: those of the module inside."""
        return self.inner.inputs

    @property
    def outputs(self) -> Mapping[str, FieldSpec]:
        """Output fields by name: those of the module inside."""
        return self.inner.outputs

    def input_names(self) -> tuple[str, ...]:
        """Return the names of what goes in: those of the module inside."""
        return self.inner.input_names()


def checked_module(value: Any, place: str) -> Module:
    """Return ``value``.

    Raises:
        InputError: It is no module.
    """
    if not isinstance(value, Module):
        raise InputError(f"{place} is a {type(value).__name__}, not a module")
    return value


def checked_count(value: Any, place: str) -> int:
    """Return ``value``.

    Raises:
        InputError: It is not a number of samples.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise InputError(f"{place} is a number of samples, 1 or more, not {value!r}")
    return value


def verdict_fits(judge: Module, place: str) -> None:
    """See to it that a judge's first output is a truth value or a number.

    Raises:
        InputError: It is something else.
    """
    first = next(iter(judge.outputs.values()))
    if first.annotation not in (bool, int, float):
        raise InputError(
            f"{place} gives {first.name!r} as {first.type_phrase or 'text'}: its first output has "
            "to be a bool or a number"
        )


async def judged(judge: Module, inputs: Mapping[str, Any], answer: Prediction) -> float:
    """Return a judge's verdict on an answer, as a number.

    Args:
        judge: A module whose first output is a truth value or a number; it gets those of the
            inputs and outputs that it has an input for.
        inputs: What the program was given.
        answer: What it answered.

    Raises:
        SignatureError: The judge wants an input that there is not.
    """
    known = {**inputs, **answer}
    wanted = judge.input_names()
    missing = [name for name in wanted if name not in known and judge.needs_input(name)]
    if missing:
        raise SignatureError(
            f"the judge takes {', '.join(missing)}, but there is only {', '.join(known)}"
        )
    verdict = await judge.acall(**{name: known[name] for name in wanted if name in known})
    return float(next(iter(verdict.values())))
