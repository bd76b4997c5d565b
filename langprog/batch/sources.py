"""Rows of JSONL, CSV, TSV and Parquet files, one at a time.

A row that cannot be read is a row, too, with the reason. Memory holds only one row at a time, or
one batch of a Parquet file.
"""

from __future__ import annotations

import csv
import importlib
import json
from codecs import BOM_UTF8
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

from langprog.batch.formats import Format
from langprog.errors import ExampleError, InputError
from langprog.strict_json import strict_json

# Rows of a Parquet file decoded together.
_PARQUET_ROWS = 512
# Larger rows would only fill the memory. (csv's own limit is 128 KiB.)
LARGEST_ROW = 64 * 2**20
# Rows checked before anything is written, to catch a wrong file.
FIRST_ROWS = 8


@dataclass(frozen=True, slots=True)
class SourceRow:
    """A row of a file.

    Args:
        place: Its place in the file, for messages.
        values: Its fields; empty if it could not be read.
        problem: Why it could not be read; empty if it could.
        raw: Identifies a row that could not be read.
    """

    place: str
    values: Mapping[str, Any] = field(default_factory=dict)
    problem: str = ""
    raw: str = ""


@dataclass(frozen=True, slots=True)
class Source:
    """A file of rows.

    Args:
        path: The file.
        format: Its format.
        columns: The needed columns, to read no others from a Parquet file.
        option: The option that names the file, for messages.
    """

    path: Path
    format: Format
    columns: tuple[str, ...] = ()
    option: str = "--batch"

    @property
    def textual(self) -> bool:
        """Whether every value is text, to be converted to the declared type."""
        return self.format in ("csv", "tsv")

    def rows(self) -> Iterator[SourceRow]:
        """Yield every row in the file's order.

        Raises:
            InputError: The file cannot be read, or is not of its format at all.
        """
        try:
            yield from _READERS[self.format](self)
        except OSError as error:
            raise InputError(
                f"{self.option}: {self.path}: cannot be read: {error.strerror or error}"
            ) from None

    def check(self, required: tuple[str, ...]) -> None:
        """Check the first rows before anything is written.

        Args:
            required: Columns that a row must have.

        Raises:
            InputError: There is no such file, or none of its first rows can be used.
        """
        if not self.path.is_file():
            what = "not a plain file" if self.path.exists() else "there is no such file"
            raise ExampleError(f"{self.option}: {self.path}: {what}")
        problems = []
        for row in self.rows():
            problem = row.problem or missing_from(row.values, required)
            if not problem:
                return
            problems.append(f"{row.place}: {problem}")
            if len(problems) == FIRST_ROWS:
                break
        if problems:
            many = f"none of the first {len(problems)} rows" if len(problems) > 1 else "the row"
            hint = "" if len(problems) > 1 else " not"
            said = f"{many} can{hint} be used as {self.format}: {problems[0]}"
            raise InputError(f"{self.option}: {self.path}: {said}")


def missing_from(values: Mapping[str, Any], required: tuple[str, ...]) -> str:
    """Return which required column a row lacks, in words; empty if none."""
    for name in required:
        if name not in values:
            has = ", ".join(list(values)[:20]) or "no fields"
            return f"lacks {name!r}; it has {has:.300}"
    return ""


def _jsonl_rows(source: Source) -> Iterator[SourceRow]:
    with source.path.open("rb") as file:
        number = 0
        while line := file.readline(LARGEST_ROW):
            number += 1
            raw = line.removeprefix(BOM_UTF8).strip() if number == 1 else line.strip()
            if len(line) == LARGEST_ROW and not line.endswith(b"\n"):
                while (rest := file.readline(LARGEST_ROW)) and not rest.endswith(b"\n"):
                    pass
                place = f"{source.path}:{number}"
                yield SourceRow(place, {}, f"longer than {LARGEST_ROW // 2**20} MB", place)
            elif raw:
                yield _jsonl_row(f"{source.path}:{number}", raw)


def _jsonl_row(place: str, raw: bytes) -> SourceRow:
    problem = ""
    values: Any = {}
    try:
        values = strict_json(raw.decode())
        if not isinstance(values, dict):
            problem = "must be a JSON object with the program's inputs"
        elif b"\\u" in raw:
            json.dumps(values, ensure_ascii=False).encode()
    except json.JSONDecodeError as error:
        problem = f"not JSON: {error.msg} at column {error.colno}"
    except UnicodeDecodeError as error:
        problem = f"not UTF-8 text at byte {error.start + 1}"
    except UnicodeEncodeError:
        problem = "a \\u escape stands for half of a character: write the whole pair"
    except ValueError as error:
        problem = str(error)
    if problem:
        return SourceRow(place, {}, problem, raw.decode("utf-8", "backslashreplace"))
    return SourceRow(place, values)


def _table_rows(source: Source, *, delimiter: str) -> Iterator[SourceRow]:
    csv.field_size_limit(LARGEST_ROW)
    with source.path.open("r", encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        reader = csv.reader(file, delimiter=delimiter, strict=True)
        header = _header(source, reader)
        while True:
            place = f"{source.path}:{reader.line_num + 1}"
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                raw = f"{place} {error}"
                yield SourceRow(place, {}, f"not {source.format.upper()}: {error}", raw)
                continue
            if cells:
                yield _table_row(place, header, cells)


def _header(source: Source, reader: Iterator[list[str]]) -> list[str]:
    place = f"{source.option}: {source.path}:1"
    try:
        header = [name.strip() for name in next(reader, [])]
    except csv.Error as error:
        raise InputError(f"{place}: not {source.format.upper()}: {error}") from None
    if any(_halves(name) or "\0" in name for name in header):
        raise InputError(f"{place}: not {source.format.upper()} in UTF-8")
    for name in header:
        if not name:
            raise InputError(f"{place}: a column has no name")
        if header.count(name) > 1:
            raise InputError(f"{place}: the column {name!r} comes twice")
    return header


def _table_row(place: str, header: list[str], cells: list[str]) -> SourceRow:
    if len(cells) != len(header):
        problem = f"has {len(cells)} fields, but the header has {len(header)}"
    elif any(map(_halves, cells)):
        problem = "not UTF-8 text"
    else:
        return SourceRow(place, dict(zip(header, cells, strict=True)))
    return SourceRow(place, {}, problem, json.dumps(cells))


def _halves(text: str) -> bool:
    """Return whether a text holds bytes that are not UTF-8."""
    return not text.isascii() and any("\ud800" <= char <= "\udfff" for char in text)


def _parquet_rows(source: Source) -> Iterator[SourceRow]:
    parquet = parquet_library(source.path, source.option)
    number = 0
    try:
        with parquet.ParquetFile(source.path) as table:
            present = set(table.schema_arrow.names)
            wanted = [name for name in source.columns if name in present]
            # If all are missing, each row reports it.
            chosen = wanted or table.schema_arrow.names
            for part in table.iter_batches(batch_size=_PARQUET_ROWS, columns=chosen):
                for values in part.to_pylist():
                    number += 1
                    yield SourceRow(f"{source.path}, row {number}", values)
    except (ValueError, NotImplementedError) as error:  # including pyarrow's own errors
        raise InputError(f"{source.option}: {source.path}: not a Parquet file: {error}") from None


def parquet_library(path: Path, option: str) -> Any:
    """Return ``pyarrow.parquet``.

    Raises:
        InputError: It is not installed.
    """
    try:
        return importlib.import_module("pyarrow.parquet")
    except ImportError:
        raise InputError(
            f"{option}: {path}: Parquet needs pyarrow: pip install 'langprog[parquet]'"
        ) from None


_READERS: Mapping[Format, Callable[[Source], Iterator[SourceRow]]] = MappingProxyType(
    {
        "jsonl": _jsonl_rows,
        "csv": partial(_table_rows, delimiter=","),
        "tsv": partial(_table_rows, delimiter="\t"),
        "parquet": _parquet_rows,
    }
)
