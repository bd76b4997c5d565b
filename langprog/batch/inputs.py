"""The inputs of a program in a row, in the order of its prompts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pydantic_core import PydanticSerializationError, to_jsonable_python

from langprog.batch.sources import missing_from
from langprog.errors import InputError, SignatureError
from langprog.modules import Module
from langprog.signature import FieldSpec
from langprog.strict_json import strict_json

# Created once: json.dumps with options creates an encoder on each call.
_TEXT = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


@dataclass(frozen=True)
class ProgramInputs:
    """The inputs of a program.

    Args:
        program: The program.
    """

    program: Module

    @cached_property
    def required(self) -> tuple[str, ...]:
        """The inputs that every row must have."""
        names = self.program.input_names()
        return tuple(name for name in names if self.program.needs_input(name))

    @cached_property
    def names(self) -> tuple[str, ...]:
        """All inputs, in the order in which the first predictor's prompt shows them."""
        names = self.program.input_names()
        for predictor in self.program.predictors().values():
            shown = [name for name in predictor.inputs if name in names]
            if shown:
                return (*shown, *(name for name in names if name not in shown))
        return names

    @cached_property
    def outputs(self) -> tuple[str, ...]:
        """The outputs that the program declares."""
        try:
            return tuple(self.program.outputs)
        except SignatureError:
            return ()

    @cached_property
    def _fields(self) -> Mapping[str, FieldSpec]:
        try:
            return self.program.inputs
        except SignatureError:
            return {}

    def text_of(self, values: Mapping[str, Any]) -> str:
        """Return a row's inputs as JSON text; rows with equal texts share an answer.

        Sorting these texts groups prompts with common prefixes.

        Raises:
            ValueError: A value has no JSON form.
        """
        chosen = {name: values[name] for name in self.names if name in values}
        return _TEXT.encode(plain(chosen))

    def values_of(self, text: str, *, textual: bool) -> dict[str, Any]:
        """Return the inputs from a text of :meth:`text_of`.

        Args:
            text: The text.
            textual: Whether its values are table cells, to be converted to the declared types.

        Raises:
            InputError: A cell does not fit its field.
        """
        values: dict[str, Any] = json.loads(text)
        if textual:
            for name, field in self._fields.items():
                if isinstance(values.get(name), str):
                    values[name] = field.from_text(values[name])
        return values

    def read(self, text: str, place: str) -> dict[str, Any]:
        """Return the inputs from a JSON object of the user, without other fields.

        Raises:
            InputError: It is not an object, or lacks an input.
        """
        try:
            data = strict_json(text)
        except json.JSONDecodeError as error:
            raise InputError(f"{place}: not JSON: {error.msg} at column {error.colno}") from None
        except ValueError as error:
            raise InputError(f"{place}: not JSON that can be read: {error}") from None
        if not isinstance(data, dict):
            raise InputError(f"{place}: must be a JSON object with the program's inputs")
        lacks = missing_from(data, self.required)
        if lacks:
            names = ", ".join(self.names)
            raise InputError(f"{place}: {lacks}; the inputs are {names}")
        return {name: data[name] for name in self.names if name in data}


def plain(values: Mapping[str, Any]) -> Any:
    """Return values as JSON data.

    Raises:
        ValueError: One has no JSON form.
    """
    try:
        return to_jsonable_python(values)
    except PydanticSerializationError as error:
        raise ValueError(f"a value has no JSON form: {error}") from None
