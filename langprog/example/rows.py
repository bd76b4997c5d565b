"""Rows in memory: dicts, our examples and those of DSPy, and DataFrames of any library."""

from __future__ import annotations

import importlib
import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from langprog.errors import ExampleError
from langprog.example.value import Example

# A DataFrame, or rows one by one: each a dict, an Example, or an example of DSPy.
Rows = Any
# Every DataFrame class has one of these, and no other container of rows does.
_FRAMES = frozenset(
    {
        "__dataframe__",
        "__narwhals_dataframe__",
        "__narwhals_lazyframe__",
        "__arrow_c_stream__",
        "collect_schema",
    }
)


def is_rows(data: Any) -> bool:
    """Return whether something holds rows: a DataFrame or any iterable of rows."""
    if isinstance(data, (str, bytes, Mapping)):
        return False
    return _is_frame(data) or isinstance(data, Iterable)


def examples_of(data: Rows, what: str = "the data") -> list[Example]:
    """Return rows as examples.

    Args:
        data: A DataFrame (of pandas, Polars, PyArrow or another library that narwhals knows), or
            rows: dicts, examples, and examples of DSPy.
        what: What they are, for errors.

    Raises:
        ExampleError: They are not rows, or one of them is not; the message says which.
    """
    if not is_rows(data):
        raise ExampleError(
            f"{what} is a {type(data).__name__}: give a list of examples "
            "(lp.load_examples(path) reads a file)"
        )
    return [
        example_from(
            row, f"example {number} of {what}" if what != "the data" else f"example {number}"
        )
        for number, row in enumerate(rows_in(data), start=1)
    ]


def example_from(row: Any, place: str) -> Example:
    """Return a row as an example.

    Raises:
        ExampleError: It is not one, or a name in it is not text.
    """
    if isinstance(row, Example):
        return row
    values = row
    if not isinstance(row, Mapping):
        # An example of DSPy; its own toDict would write objects in it, such as images, as text.
        theirs = callable(getattr(row, "toDict", None))
        items = getattr(row, "items", None) if theirs else None
        values = dict(items()) if callable(items) else None
        if values is None:
            raise ExampleError(
                f"{place} is a {type(row).__name__}, not an lp.Example: give examples or dicts"
            )
        values = {name: each for name, each in values.items() if not _is_inner(name)}
    for name in values:
        if not isinstance(name, str):
            raise ExampleError(
                f"{place} has the key {name!r:.40}, which is not text: fields are known by their "
                "names, so rename it or leave it out"
            )
    return Example(**values)


def _is_inner(name: Any) -> bool:
    # DSPy's own attributes beside the fields.
    return isinstance(name, str) and name.startswith("dspy_")


def rows_in(data: Rows) -> Iterator[Any]:
    """Yield the rows of a DataFrame as dicts, or the items of any other iterable.

    Raises:
        ExampleError: It is a DataFrame that cannot be read.
    """
    return _rows_of_frame(data) if _is_frame(data) else iter(data)


def _is_frame(data: Any) -> bool:
    return not _FRAMES.isdisjoint(dir(type(data)))


def _rows_of_frame(data: Any) -> Iterator[dict[Any, Any]]:
    narwhals = importlib.import_module("narwhals")
    try:
        frame = narwhals.from_native(data)
        if isinstance(frame, narwhals.LazyFrame):
            frame = frame.collect()
        empty = frame.implementation.is_pandas_like()
        rows = frame.iter_rows(named=True)
    except (TypeError, ValueError) as error:
        raise ExampleError(
            f"the data is a {type(data).__name__} whose rows cannot be read: {error}; give them "
            "as a list of dicts, such as frame.to_dict('records')"
        ) from None
    for row in rows:
        # pandas marks empty cells with NaN.
        yield {name: None if empty and _is_nan(value) else value for name, value in row.items()}


def _is_nan(value: Any) -> bool:
    if isinstance(value, float):
        return math.isnan(value)
    return type(value).__name__ in ("NAType", "NaTType")
