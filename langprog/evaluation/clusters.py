"""Which examples are alike to a program: they are one observation, not several.

Examples that a program cannot tell apart are. So are those that differ in case, blanks, closing
punctuation, typography or type alone: a model mostly answers them alike, and a test that took each
for an observation of its own would claim gains that are luck.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from types import MappingProxyType
from typing import Any

from langprog.errors import InputError, LangprogError
from langprog.example import Example, plain_values
from langprog.modules import Module
from langprog.signature import FieldSpec

# What other keyboards write for quotes and dashes.
_TYPOGRAPHY: Mapping[int, str] = MappingProxyType(
    {
        **dict.fromkeys(map(ord, "‘’‚´`"), "'"),
        **dict.fromkeys(map(ord, "“”„«»"), '"'),
        **dict.fromkeys(map(ord, "‐‑‒–—−"), "-"),
    }
)
# Punctuation at the end of a word, which people write or leave out.
_CLOSING = re.compile(r"[.,!?;:…]+(?=\s|$)")


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
    """Return the cluster of each example: those that are almost alike to one of two programs."""
    keys = (InputKeys(program), InputKeys(baseline))
    return join_clusters(*([key.of_similar(example) for example in examples] for key in keys))


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
        self._defaults = _default_values(
            field for name, field in self._fields.items() if name in self.names
        )

    def of(self, example: Example) -> str:
        """Return the key of an example: a digest of its inputs as the program reads them."""
        return Example(**self.read(example)).digest

    def of_similar(self, example: Example) -> str:
        """Return a key that inputs share if :func:`fold_text` makes them equal."""
        return Example(**fold_text(plain_values(self.read(example)))).digest

    def read(self, example: Example) -> dict[str, Any]:
        """Return the inputs of an example as the program reads them, omitted ones as well."""
        values = {name: example[name] for name in self.names if name in example}
        for name, value in values.items():
            if name in self._fields:
                try:
                    values[name] = self._fields[name].from_row(value)
                except InputError:
                    continue
        return {**self._defaults, **values}


def _default_values(fields: Iterable[FieldSpec]) -> dict[str, Any]:
    """Return the values of inputs that a row omits; not those that differ with every call."""
    values: dict[str, Any] = {}
    for field in fields:
        if field.required:
            continue
        with suppress(InputError):  # a factory's value that does not fit fails in the call
            first, second = field.default_value(), field.default_value()
            if first == second:
                values[field.name] = first
    return values


def fold_text(value: Any) -> Any:
    """Return plain data in which what is written almost alike is equal.

    Letters lose their case, texts their blanks, closing punctuation and typography (quotes,
    dashes, wide letters, characters without width), and numbers become texts.
    """
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, (bool, int, float)):
        return str(value).casefold()
    if isinstance(value, str):
        return _fold(value)
    if isinstance(value, list):
        return [fold_text(item) for item in value]
    if isinstance(value, dict):
        return {name: fold_text(item) for name, item in value.items()}
    return value


def _fold(text: str) -> str:
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text).translate(_TYPOGRAPHY)
        text = "".join(each for each in text if unicodedata.category(each) != "Cf")
    words = " ".join(text.casefold().split())
    return _CLOSING.sub("", words) or words
