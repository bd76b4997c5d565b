"""Files of examples: JSONL, JSON, CSV, TSV and Parquet."""

from __future__ import annotations

import csv
import importlib
import itertools
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

from langprog.errors import ExampleError, InputError
from langprog.example.rows import Rows, example_from, is_rows, rows_in
from langprog.example.value import Example, ExampleList
from langprog.hints import with_hints
from langprog.strict_json import strict_json

# Characters of a cell; Python's limit of 131,072 is too small for documents.
_LONGEST_CELL = 2**31 - 1
_QUOTED = re.compile(r'"[^"]*+"')


class Field(Protocol):
    """What reading a file needs to know about a field."""

    @property
    def required(self) -> bool:
        """Whether every row must have it."""
        ...

    def from_row(self, value: Any, folder: Path = ...) -> Any:
        """Return ``value``, from a data row, as the field's type."""
        ...

    def from_text(self, text: str, folder: Path = ...) -> Any:
        """Return the value of ``text``, a table cell."""
        ...


class Fields(Protocol):
    """Anything with input and output fields: a signature or a program."""

    @property
    def inputs(self) -> Mapping[str, Field]:
        """Input fields by name."""
        ...

    @property
    def outputs(self) -> Mapping[str, Field]:
        """Output fields by name."""
        ...


# Its place in the file, its fields, and whether every value is text.
Row = tuple[str, Mapping[str, Any], bool]


@with_hints(
    {
        **dict.fromkeys(("input_keys", "inputs"), "leave it out: a program knows its inputs"),
        "program": "write signature=",
    }
)
def load_examples(
    path: str | Path | Rows,
    signature: Fields | type[Fields] | None = None,
    *,
    fields: Mapping[str, str] | None = None,
) -> list[Example]:
    """Read examples from a JSONL, JSON, CSV, TSV or Parquet file, or from rows in memory.

    Args:
        path: The file; its suffix determines the format. Or rows: a DataFrame (of pandas, Polars,
            PyArrow or another library that narwhals knows), a list of dicts, or examples of DSPy.
        signature: A signature or a program: every row must have its required inputs, and its
            fields are checked and converted to the declared types. In CSV, where everything is
            text, an empty cell of an optional field is None, and lists and objects are JSON. Other
            columns and missing outputs are not errors.
        fields: Names in the file -> names in the examples; other names are kept.

    Returns:
        The rows in their order.

    Raises:
        ExampleError: The file is missing or empty, or a row is invalid; names file, line and
    field.
    """
    examples = ExampleList(iterate_examples(path, signature, fields=fields))
    if not examples:
        raise ExampleError(f"{path}: there are no rows in it")
    return examples


def iterate_examples(
    path: str | Path | Rows,
    signature: Fields | type[Fields] | None = None,
    *,
    fields: Mapping[str, str] | None = None,
) -> Iterator[Example]:
    """Read like :func:`load_examples`, row by row: JSONL and CSV need constant memory.

    Raises:
        ExampleError: As for :func:`load_examples`, when the row in question is reached.
    """
    if isinstance(signature, str):
        raise ExampleError("load_examples takes a Signature class, signature_of(...) or a program")
    names = dict(fields or {})
    folder = Path(path).parent if isinstance(path, (str, Path)) else Path()
    for place, row, textual in _rows_of(path):
        values = _rename_fields(row, names, place)
        if signature is not None:
            values = _convert_row(values, signature, place, textual, folder)
        yield example_from(values, place)


def _rows_of(path: str | Path | Rows) -> Iterator[Row]:
    if not isinstance(path, (str, Path)):
        if not is_rows(path):
            raise ExampleError(
                f"load_examples takes the path of a file or rows, not {type(path).__name__}"
            )
        for number, row in enumerate(rows_in(path), start=1):
            yield f"row {number}", example_from(row, f"row {number}"), False
        return
    file = Path(path)
    reader = _READERS.get(file.suffix.lower())
    if reader is None:
        raise ExampleError(f"{file}: unknown suffix; use {', '.join(_READERS)}")
    if not file.is_file():
        raise ExampleError(f"{file}: there is no such file")
    try:
        yield from reader(file)
    except OSError as error:
        raise ExampleError(f"{file}: cannot be read: {error.strerror or error}") from None


def _rename_fields(row: Mapping[str, Any], names: Mapping[str, str], place: str) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for key, value in row.items():
        name = names.get(key, key)
        if name in values:
            raise ExampleError(f"{place}: two fields are named {name!r}: change fields=")
        values[name] = value
    return values


def _convert_row(
    values: dict[str, Any],
    signature: Fields | type[Fields],
    place: str,
    textual: bool,
    folder: Path,
) -> dict[str, Any]:
    inputs: Any = signature.inputs
    outputs: Any = signature.outputs
    for name, field in inputs.items():
        if name not in values and field.required:
            raise ExampleError(
                f"{place}: lacks the input {name!r}; it has {', '.join(values) or 'no fields'}"
            )
    for name, field in {**inputs, **outputs}.items():
        if name in values:
            try:
                read = field.from_text if textual else field.from_row
                values[name] = read(values[name], folder)
            except InputError as error:
                raise ExampleError(f"{place}: {error}") from None
    return values


def _jsonl(file: Path) -> Iterator[Row]:
    with file.open("rb") as lines:
        for number, raw in enumerate(lines, start=1):
            place = f"{file}:{number}"
            line = _decode(raw, place).removeprefix("\ufeff" if number == 1 else "").strip()
            if line:
                yield place, _object(_parse(line, place), place), False


def _json(file: Path) -> Iterator[Row]:
    rows = _parse(_decode(file.read_bytes(), str(file)).removeprefix("\ufeff"), str(file))
    if not isinstance(rows, list):
        raise ExampleError(f"{file}: must hold a list of objects, not a {type(rows).__name__}")
    for index, row in enumerate(rows):
        place = f"{file}, row {index + 1}"
        yield place, _object(row, place), False


def _decode(raw: bytes, place: str) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ExampleError(f"{place}: not UTF-8 text at byte {error.start + 1}") from None


def _parse(text: str, place: str) -> Any:
    try:
        value = strict_json(text)
    except json.JSONDecodeError as error:
        at = f"{place}:{error.lineno}" if "\n" in text else place
        raise ExampleError(f"{at}: not JSON: {error.msg} at column {error.colno}") from None
    except ValueError as error:
        raise ExampleError(f"{place}: {error}") from None
    if "\\u" in text:
        _no_halves(value, place)
    return value


def _no_halves(value: Any, place: str) -> None:
    # An escape can denote half a character, which cannot be encoded.
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise ExampleError(
            f"{place}: a \\u escape stands for half of a character: write the whole pair"
        ) from None


def _object(row: Any, place: str) -> Mapping[str, Any]:
    if not isinstance(row, dict) or not row:
        raise ExampleError(f"{place}: must be a JSON object with fields, not {row!r:.40}")
    return row


def _csv(file: Path) -> Iterator[Row]:
    return _table(file, "")


def _tsv(file: Path) -> Iterator[Row]:
    return _table(file, "\t")


def _table(file: Path, separator: str) -> Iterator[Row]:
    """Yield the rows of a table; an empty ``separator`` is detected from its header."""
    with file.open("rb") as raw:
        lines = (
            _decode(line, f"{file}:{n}").removeprefix("\ufeff" if n == 1 else "")
            for n, line in enumerate(raw, start=1)
        )
        first = next(lines, "")
        if first[:4].lower() == "sep=" and len(first.strip()) == 5:  # some spreadsheets declare it
            separator, first = first[4], next(lines, "")
        # The limit is global: only raise it, since other threads may be reading.
        csv.field_size_limit(max(_LONGEST_CELL, csv.field_size_limit()))
        separator = separator or _separator(first)
        reader = csv.reader(
            itertools.chain([first], lines),
            strict=True,
            delimiter=separator,
            skipinitialspace=_is_spaced(first, separator),
        )
        line = 1
        try:
            header = [name.strip() for name in next(reader, [])]
            _check_header(header, file)
            line = reader.line_num + 1
            for row in reader:
                place, line = f"{file}:{line}", reader.line_num + 1
                if not row:
                    continue
                if len(row) != len(header):
                    raise ExampleError(
                        f"{place}: has {len(row)} fields, but the header has {len(header)}"
                    )
                yield place, dict(zip(header, row, strict=True)), True
        except csv.Error as error:
            raise ExampleError(f"{file}:{line}: not CSV: {error}") from None


def _check_header(header: Iterable[str], file: Path) -> None:
    names: set[str] = set()
    for name in header:
        if not name:
            raise ExampleError(f"{file}:1: a column has no name")
        if name in names:
            raise ExampleError(f"{file}:1: the column {name!r} comes twice")
        names.add(name)


def _separator(header: str) -> str:
    # Where a comma is the decimal point, spreadsheets separate columns with a semicolon.
    bare = _QUOTED.sub("", header)
    return next((sign for sign in ",;\t|" if sign in bare), ",")


def _is_spaced(header: str, separator: str) -> bool:
    """Return whether a blank follows every separator, which is then no part of a cell either."""
    bare = _QUOTED.sub("", header)
    return 0 < bare.count(separator) == bare.count(f"{separator} ")


def _parquet(file: Path) -> Iterator[Row]:
    try:
        parquet = importlib.import_module("pyarrow.parquet")
    except ImportError:
        raise ExampleError(
            f"{file}: reading Parquet needs pyarrow: pip install 'langprog[parquet]'"
        ) from None
    number = 0
    try:
        with parquet.ParquetFile(file) as table:
            for batch in table.iter_batches():
                for row in batch.to_pylist():
                    number += 1
                    yield f"{file}, row {number}", row, False
    except ValueError as error:  # pyarrow's own errors are ValueErrors
        raise ExampleError(f"{file}: not a Parquet file: {error}") from None


_READERS = {
    ".jsonl": _jsonl,
    ".json": _json,
    ".csv": _csv,
    ".tsv": _tsv,
    ".parquet": _parquet,
}
