"""Examples: what goes in and what should come out, as frozen values; rows and files of them.

- ``value``: :class:`Example`. ``rows``: dicts, DataFrames and examples of DSPy as examples.
- ``files``: JSONL, JSON, CSV, TSV and Parquet.
- ``marks``: rows that may be trained on, but prove nothing.
"""

from langprog.example.files import Field, Fields, iterate_examples, load_examples
from langprog.example.marks import TRAIN_ONLY, refuse_train_only, why_train_only
from langprog.example.rows import Rows, example_from, examples_of, is_rows
from langprog.example.value import (
    Example,
    ExampleList,
    copy_value,
    dataset_digest,
    plain_values,
)

__all__ = [
    "Example",
    "ExampleList",
    "Field",
    "Fields",
    "Rows",
    "TRAIN_ONLY",
    "copy_value",
    "dataset_digest",
    "example_from",
    "examples_of",
    "is_rows",
    "iterate_examples",
    "load_examples",
    "plain_values",
    "refuse_train_only",
    "why_train_only",
]
