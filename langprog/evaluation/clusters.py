"""Which examples a program cannot tell apart: they are one observation, not several."""

from __future__ import annotations

from langprog.errors import InputError, LangprogError
from langprog.example import Example
from langprog.modules import Module


class InputKeys:
    """Gives examples with the same inputs the same key.

    Args:
        program: The program that reads them.
    """

    def __init__(self, program: Module) -> None:
        self.names = program.input_names()
        try:
            self._fields = program.inputs
        except LangprogError:  # a custom module need not declare its inputs
            self._fields = {}

    def of(self, example: Example) -> str:
        """Return the key of an example: a digest of its inputs as the program reads them."""
        values = {name: example[name] for name in self.names if name in example}
        for name, value in values.items():
            if name in self._fields:
                try:
                    values[name] = self._fields[name].from_row(value)
                except InputError:
                    continue
        return Example(**values).digest
