"""Converts the values of examples to the types of a program's signature."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from langprog.errors import InputError, SignatureError
from langprog.example import Example
from langprog.modules import Module
from langprog.signature import FieldSpec


class TypedRows:
    """Converts the values of examples to the types that a program declares.

    Files say little about types: in CSV everything is text, and JSON has no dates, Enums or
    models. A label that does not fit its type is kept, since a metric may know how to use it (a
    list of right answers, say).

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
        """Return an example with converted values, or itself if they have their types."""
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
    except SignatureError:  # a custom module need not declare its fields
        return {}
    return fields
