"""Results as CSV, TSV and Parquet: flat rows, with each file written atomically.

A table has the columns ``key`` and ``row``, the kept columns, the outputs, and finally
``failure_kind`` and ``failure_message``. Values other than text and numbers are JSON.
"""

from __future__ import annotations

import csv
import importlib
import io
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from langprog.batch.formats import Format
from langprog.batch.results import KEY_LENGTH, write_whole
from langprog.batch.sources import Source, parquet_library
from langprog.errors import InputError

FIRST, LAST = ("key", "row"), ("failure_kind", "failure_message")
_ROWS = 2048
Records = Callable[[], Iterator[Mapping[str, Any]]]


def check_columns(kept: Iterable[str], outputs: Iterable[str]) -> None:
    """Reject a kept column with the name of another column.

    Raises:
        InputError: There is one.
    """
    taken = {*FIRST, *LAST, *outputs}
    for name in kept:
        if name in taken:
            raise InputError(
                f"--keep {name}: a table of results has a column of that name already: write "
                "JSONL, or rename the column"
            )


def write_table(
    path: Path, form: Format, records: Records, kept: Iterable[str], outputs: Iterable[str]
) -> None:
    """Write records as a table.

    Args:
        path: The file; it is replaced.
        form: csv, tsv or parquet.
        records: Returns the records; may be called several times.
        kept: The kept columns; those that no record has are omitted.
        outputs: Outputs that always have a column.

    Raises:
        InputError: pyarrow is not installed.
        OSError: It cannot be written; the file is as it was.
    """
    present: dict[str, None] = {}
    answered = dict.fromkeys(outputs)
    for record in records():
        present.update(dict.fromkeys(record))
        answered.update(dict.fromkeys(record.get("outputs", ())))
    names = [*FIRST, *(name for name in kept if name in present), *answered, *LAST]
    if form == "parquet":
        _write_parquet(path, records, names)
    else:
        write_whole(path, _csv_lines(records(), names, "," if form == "csv" else "\t"))


def _flat(record: Mapping[str, Any]) -> dict[str, Any]:
    failure = record.get("failure") or {}
    outputs = record.get("outputs") or {}
    cells = {name: value for name, value in record.items() if name not in ("outputs", "failure")}
    cells.update(outputs)
    if failure:
        cells.update(failure_kind=failure["kind"], failure_message=failure["message"])
    return cells


def _csv_lines(
    records: Iterable[Mapping[str, Any]], names: list[str], delimiter: str
) -> Iterator[bytes]:
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter, lineterminator="\n")
    writer.writerow(names)
    for record in records:
        cells = _flat(record)
        writer.writerow([_cell(cells.get(name)) for name in names])
        if text.tell() > 2**16:
            yield _drain(text)
    yield _drain(text)


def _drain(text: io.StringIO) -> bytes:
    # Half a character, which a reply may hold, cannot be encoded: escape it.
    content = text.getvalue().encode("utf-8", "backslashreplace")
    text.seek(0)
    text.truncate()
    return content


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


# --- Parquet -------------------------------------------------------------------------------------


def _write_parquet(path: Path, records: Records, names: list[str]) -> None:
    parquet = parquet_library(path, "--out")
    arrow = importlib.import_module("pyarrow")
    kinds: dict[str, set[str]] = {name: set() for name in names}
    for record in records():
        cells = _flat(record)
        for name, kind in kinds.items():
            kind.add(_kind(cells.get(name)))
    fields = {name: _type(arrow, kind) for name, kind in kinds.items()}
    schema = arrow.schema(list(fields.items()))
    beside = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        with parquet.ParquetWriter(beside, schema) as writer:
            rows = iter(records())
            while part := list(islice(rows, _ROWS)):
                flat = [_fit_cells(_flat(record), fields, arrow) for record in part]
                writer.write_batch(arrow.RecordBatch.from_pylist(flat, schema))
        with beside.open("rb+") as file:
            os.fsync(file.fileno())
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def _kind(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, int) and not isinstance(value, bool):
        return "int" if -(2**63) <= value < 2**63 else "json"
    return {bool: "bool", float: "float", str: "text"}.get(type(value), "json")


def _type(arrow: Any, kinds: set[str]) -> Any:
    there = kinds - {"none"}
    if there == {"bool"}:
        return arrow.bool_()
    if there == {"int"}:
        return arrow.int64()
    if there and there <= {"int", "float"}:
        return arrow.float64()
    return arrow.string()


def _fit_cells(cells: Mapping[str, Any], fields: Mapping[str, Any], arrow: Any) -> dict[str, Any]:
    fitted = {}
    for name, kind in fields.items():
        value = cells.get(name)
        if kind == arrow.string() and value is not None:
            value = _cell(value).encode("utf-8", "backslashreplace").decode()
        fitted[name] = value
    return fitted


# --- reading back --------------------------------------------------------------------------------


def records_of(source: Source, kept: Iterable[str]) -> Iterator[dict[str, Any]]:
    """Yield the records of a table that an earlier run wrote.

    Args:
        source: The table.
        kept: Its kept columns.

    Raises:
        InputError: It is not a table of results.
    """
    kept = tuple(kept)
    for row in source.rows():
        values = dict(row.values)
        key, number = values.pop("key", None), values.pop("row", None)
        if not _is_result(key, number):
            raise InputError(
                f"--out: {source.path}: it is not a table of results of a batch: name another "
                "file, or remove it"
            )
        kind, message = values.pop("failure_kind", None), values.pop("failure_message", None)
        record = {"key": key, "row": int(str(number))}
        record.update((name, values.pop(name)) for name in kept if name in values)
        if kind:
            yield {**record, "failure": {"kind": kind, "message": message or ""}}
        else:
            yield {**record, "outputs": values}


def _is_result(key: Any, number: Any) -> bool:
    hexadecimal = isinstance(key, str) and len(key) == KEY_LENGTH and key.isalnum()
    return hexadecimal and str(number).isdecimal()
