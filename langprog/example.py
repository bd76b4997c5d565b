"""Examples: what goes in and what should come out, as frozen values."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from langprog.errors import ExampleError, FrozenError


class Example(Mapping[str, Any]):
    """One example: fields by name, frozen.

    The program's signature says which fields are inputs; an example does not.

    Example::

        Example(ticket="my invoice is wrong", team="billing").team
    """

    __slots__ = ("_digest", "_values")

    _values: dict[str, Any]
    _digest: str

    def __init__(self, **values: Any) -> None:
        object.__setattr__(self, "_values", values)
        object.__setattr__(self, "_digest", "")

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical JSON of the values."""
        if not self._digest:
            object.__setattr__(self, "_digest", _sha256(self._values))
        return self._digest

    def with_(self, **values: Any) -> Example:
        """Return a copy with these fields added or replaced."""
        return Example(**{**self._values, **values})

    def without(self, *names: str) -> Example:
        """Return a copy without these fields."""
        return Example(**{key: value for key, value in self._values.items() if key not in names})

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as a new dict."""
        return dict(self._values)

    def __getattr__(self, name: str) -> Any:
        try:
            return self._values[name]
        except KeyError:
            known = ", ".join(self._values) or "none"
            raise AttributeError(f"the example has no field {name!r}; it has {known}") from None

    def __setattr__(self, name: str, value: Any) -> None:
        raise FrozenError(f"an example cannot be changed (tried to set {name!r}); use with_()")

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Example) and self._values == other._values

    def __hash__(self) -> int:
        return hash(self.digest)

    def __reduce__(self) -> tuple[Any, ...]:
        return (_rebuild, (self._values,))

    def __repr__(self) -> str:
        return f"Example({', '.join(f'{key}={value!r}' for key, value in self._values.items())})"


def _rebuild(values: dict[str, Any]) -> Example:
    return Example(**values)


def _sha256(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, default=_plain)
    return hashlib.sha256(text.encode()).hexdigest()


def _plain(value: Any) -> Any:
    # Values of a user's own types count by what they show.
    return repr(value)


def dataset_digest(examples: Iterable[Example]) -> str:
    """Return the SHA-256 over the examples' digests, in their order."""
    total = hashlib.sha256()
    for example in examples:
        total.update(example.digest.encode())
    return total.hexdigest()


def load_examples(path: str | Path, *, fields: Mapping[str, str] | None = None) -> list[Example]:
    """Read examples from a JSONL, JSON, CSV or Parquet file.

    Args:
        path: The file; its ending says what it is.
        fields: Names in the file -> names in the examples; others are kept as they are.

    Returns:
        The rows in their order. CSV gives text for every field; a program's signature turns it
        into the types that it declares.

    Raises:
        ExampleError: The file is missing or empty, or a row is wrong; names file, line and field.
    """
    file = Path(path)
    readers = {".jsonl": _jsonl, ".json": _json, ".csv": _csv, ".parquet": _parquet}
    reader = readers.get(file.suffix.lower())
    if reader is None:
        raise ExampleError(f"{file}: the ending says no known format; use {', '.join(readers)}")
    if not file.is_file():
        raise ExampleError(f"{file}: there is no such file")
    names = dict(fields or {})
    examples = []
    for place, row in reader(file):
        renamed = {names.get(key, key): value for key, value in row.items()}
        for key in renamed:
            if not key.isidentifier() or key.startswith("_"):
                raise ExampleError(
                    f"{place}: {key!r} is no field name; rename it with fields={{{key!r}: ...}}"
                )
        examples.append(Example(**renamed))
    if not examples:
        raise ExampleError(f"{file}: there are no rows in it")
    return examples


Rows = Iterator[tuple[str, Mapping[str, Any]]]


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ExampleError(f"{file}: not UTF-8 text at byte {error.start}") from None
    except OSError as error:
        raise ExampleError(f"{file}: cannot be read: {error.strerror}") from None


def _jsonl(file: Path) -> Rows:
    for number, line in enumerate(_text(file).split("\n"), start=1):
        if not line.strip():
            continue
        place = f"{file}:{number}"
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise ExampleError(f"{place}: not JSON: {error.msg} at column {error.colno}") from None
        yield place, _object(row, place)


def _json(file: Path) -> Rows:
    try:
        rows = json.loads(_text(file))
    except json.JSONDecodeError as error:
        raise ExampleError(
            f"{file}:{error.lineno}: not JSON: {error.msg} at column {error.colno}"
        ) from None
    if not isinstance(rows, list):
        raise ExampleError(f"{file}: must hold a list of objects, not a {type(rows).__name__}")
    for index, row in enumerate(rows):
        place = f"{file}, row {index + 1}"
        yield place, _object(row, place)


def _object(row: Any, place: str) -> Mapping[str, Any]:
    if not isinstance(row, dict) or not row:
        raise ExampleError(f"{place}: must be a JSON object with fields, not {row!r:.40}")
    return row


def _csv(file: Path) -> Rows:
    reader = csv.reader(_text(file).splitlines(keepends=True))
    header = next(reader, [])
    for name in header:
        if header.count(name) > 1:
            raise ExampleError(f"{file}:1: the column {name!r} comes twice")
    for row in reader:
        place = f"{file}:{reader.line_num}"
        if not row:
            continue
        if len(row) != len(header):
            raise ExampleError(f"{place}: has {len(row)} fields, but the header has {len(header)}")
        yield place, dict(zip(header, row, strict=True))


def _parquet(file: Path) -> Rows:
    try:
        import pyarrow.parquet as parquet  # noqa: PLC0415 - an extra, needed for this format alone
    except ImportError:
        raise ExampleError(
            f"{file}: reading Parquet needs pyarrow: pip install 'langprog[parquet]'"
        ) from None
    try:
        rows = parquet.read_table(file).to_pylist()
    except (OSError, ValueError) as error:
        raise ExampleError(f"{file}: not a Parquet file: {error}") from None
    for index, row in enumerate(rows):
        yield f"{file}, row {index + 1}", row
