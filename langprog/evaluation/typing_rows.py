"""The values of examples as a program's signature types them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from langprog.errors import InputError, SignatureError
from langprog.example import Example
from langprog.modules import Module
from langprog.signature import FieldSpec


class TypedRows:
    """Gives the values of examples the types that a program declares.

    Files say little of types: in a CSV everything is text, and in JSON a date, an Enum and a model
    are. A label that does not fit its type stays as it is, since a metric may know what to make of
    it (a list of right answers, say).

    Args:
        program: The program.
    """

    def __init__(self, program: Module) -> None:
        self._program = program
        self._inputs, self._outputs = _fields(program, "inputs"), _fields(program, "outputs")

    def needs(self, name: str) -> bool:
        """Return whether an example must have this input."""
        return self._program.needs_input(name)

    def check(self, name: str, value: Any) -> None:
        """Check the value of an input.

        Raises:
            InputError: It does not fit its type.
        """
        if name in self._inputs:
            self._inputs[name].from_row(value)

    def of(self, example: Example) -> Example:
        """Return an example with its values typed, or itself where they are."""
        changed = {}
        for name, field in {**self._outputs, **self._inputs}.items():
            if name in example:
                value = example[name]
                typed = _convert(field, value)
                if typed is not value:
                    changed[name] = typed
        return example.with_(**changed) if changed else example


def _convert(field: FieldSpec, value: Any) -> Any:
    if type(value) is field.exact:
        return value
    try:
        return field.from_row(value)
    except InputError:
        return value


def _fields(program: Module, side: str) -> Mapping[str, FieldSpec]:
    try:
        fields: Mapping[str, FieldSpec] = getattr(program, side)
    except SignatureError:  # a user's module may leave open what goes in and out
        return {}
    return fields
