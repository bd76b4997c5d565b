"""Which examples a program cannot tell apart: they are one observation, not several."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from langprog.errors import InputError, LangprogError
from langprog.example import Example
from langprog.modules import Module


def join_clusters(*clusterings: Sequence[str]) -> list[str]:
    """Return one clustering in which rows share a cluster if they do in any of some.

    Two programs may read different inputs: rows that one of them cannot tell apart are one
    observation of the pair.

    Args:
        *clusterings: The cluster of each row, one or more times, all of one length.

    Returns:
        The cluster of each row, whose name does not depend on the order of the rows.
    """
    parent = list(range(len(clusterings[0])))

    def root(row: int) -> int:
        while parent[row] != row:
            parent[row] = parent[parent[row]]
            row = parent[row]
        return row

    for clusters in clusterings:
        first: dict[str, int] = {}
        for row, name in enumerate(clusters):
            parent[root(row)] = root(first.setdefault(name, row))
    names: dict[int, str] = {}
    for row, name in enumerate(clusterings[0]):
        names[root(row)] = min(name, names.get(root(row), name))
    return [names[root(row)] for row in range(len(parent))]


def cluster_rows(program: Module, baseline: Module, examples: Sequence[Example]) -> list[str]:
    """Return the cluster of each example: those that one of two programs cannot tell apart."""
    keys = (InputKeys(program), InputKeys(baseline))
    return join_clusters(*([key.of(example) for example in examples] for key in keys))


class InputKeys:
    """Gives examples with the same inputs the same key.

    Args:
        program: The program that reads them.
        names: The inputs that count; by default all of the program's.
    """

    def __init__(self, program: Module, names: Sequence[str] | None = None) -> None:
        self.names = program.input_names() if names is None else tuple(names)
        try:
            self._fields = program.inputs
        except LangprogError:  # a custom module need not declare its inputs
            self._fields = {}

    def of(self, example: Example) -> str:
        """Return the key of an example: a digest of its inputs as the program reads them."""
        return Example(**self.read(example)).digest

    def of_similar(self, example: Example) -> str:
        """Return a key that inputs share if they differ only in case, blanks and type."""
        return Example(**{k: fold_text(v) for k, v in self.read(example).items()}).digest

    def read(self, example: Example) -> dict[str, Any]:
        """Return the inputs of an example as the program reads them."""
        values = {name: example[name] for name in self.names if name in example}
        for name, value in values.items():
            if name in self._fields:
                try:
                    values[name] = self._fields[name].from_row(value)
                except InputError:
                    continue
        return values


def fold_text(value: Any) -> Any:
    """Return a value whose texts differ in neither case nor blanks, with numbers as texts."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, (bool, int, float)):
        return str(value).casefold()
    if isinstance(value, str):
        return " ".join(value.casefold().split())
    if isinstance(value, list):
        return [fold_text(item) for item in value]
    if isinstance(value, dict):
        return {name: fold_text(item) for name, item in value.items()}
    return value
