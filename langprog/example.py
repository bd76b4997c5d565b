"""Examples: what goes in and what should come out, as frozen values; and files of them."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

from pydantic_core import PydanticSerializationError, to_jsonable_python

from langprog.errors import ExampleError, FrozenError, InputError
from langprog.notebook import list_short, render_card, shorten
from langprog.strict_json import strict_json

_ATOMS = frozenset({str, int, float, bool, type(None)})


class Example(Mapping[str, Any]):
    """One example: fields by name, frozen.

    The program's signature says which fields are inputs; an example does not. Lists, dicts and
    sets are copied on the way in and on the way out, so nobody can change an example that others
    hold. Two examples are equal when their fields are, as plain data.

    Example::

        Example(ticket="my invoice is wrong", team="billing").team
    """

    __slots__ = ("_digest", "_values")

    _values: dict[str, Any]
    _digest: str

    def __init__(self, /, **values: Any) -> None:
        kept = {name: _copied(value) for name, value in values.items()}
        object.__setattr__(self, "_values", kept)
        object.__setattr__(self, "_digest", "")

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical JSON of the values.

        Raises:
            ExampleError: A value cannot be told from another one.
        """
        if not self._digest:
            object.__setattr__(self, "_digest", _sha256(self._values))
        return self._digest

    def with_(self, /, **values: Any) -> Example:
        """Return a copy with these fields added or replaced."""
        return Example(**{**self._values, **values})

    def without(self, *names: str) -> Example:
        """Return a copy without these fields."""
        return Example(**{key: value for key, value in self._values.items() if key not in names})

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as a new dict."""
        return {name: _copied(value) for name, value in self._values.items()}

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name not in self._values:
            known = "" if name.startswith("_") else f"; it has {', '.join(self._values) or 'none'}"
            raise AttributeError(f"the example has no field {name!r}{known}")
        return _copied(self._values[name])

    def __setattr__(self, name: str, value: Any) -> None:
        raise FrozenError(f"an example cannot be changed (tried to set {name!r}); use with_()")

    def __delattr__(self, name: str) -> None:
        raise FrozenError(f"an example cannot be changed (tried to delete {name!r})")

    def __getitem__(self, name: str) -> Any:
        return _copied(self._values[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Example):
            return NotImplemented
        return self is other or self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    def __reduce__(self) -> tuple[Any, ...]:
        return (_rebuild, (self._values,))

    def __repr__(self) -> str:
        return f"Example({list_short(self._values.items(), 600)})"

    def _repr_html_(self) -> str:
        return render_card("Example", self._values.items())


class ExampleList(list[Example]):
    """A list of examples that shows a screen of them, however many there are."""

    def __repr__(self) -> str:
        shown = "".join(f"\n  {shorten(repr(example), 250)}," for example in self[:3])
        more = f"\n  ... {len(self) - 3:,} more" if len(self) > 3 else ""
        return f"[{shown}{more}\n]" if self else "[]"

    def _repr_html_(self) -> str:
        names = tuple(dict.fromkeys(name for example in self[:10] for name in example))
        rows = [[example.to_dict().get(name, "") for name in names] for example in self[:10]]
        note = f"the first 10 of {len(self):,}" if len(self) > 10 else ""
        return render_card(f"{len(self):,} examples", heads=names, rows=rows, note=note)


def _rebuild(values: dict[str, Any]) -> Example:
    return Example(**values)


def _copied(value: Any) -> Any:
    kind = type(value)
    if kind in _ATOMS:
        return value
    if kind is list:
        return [_copied(item) for item in value]
    if kind is dict:
        return {key: _copied(item) for key, item in value.items()}
    return set(value) if kind is set else value


def _sha256(values: Mapping[str, Any]) -> str:
    try:
        text = json.dumps(values, sort_keys=True, ensure_ascii=False, default=_plain)
    except TypeError as error:  # keys that JSON does not have, or that have no order
        raise ExampleError(f"the example {list(values)} has no digest: {error}") from None
    # Half a surrogate pair is no UTF-8, but must not keep an example from being compared.
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _plain(value: Any) -> Any:
    if isinstance(value, (set, frozenset)):
        return sorted(value, key=repr)
    if isinstance(value, Mapping):  # an example, a prediction: their reprs are cut off
        return {type(value).__name__: dict(value)}
    try:
        return to_jsonable_python(value)
    except (PydanticSerializationError, ValueError):
        shown: object = type(value).__repr__
        if shown is object.__repr__:  # it names an address, not a value
            raise ExampleError(
                f"an example holds a {type(value).__name__}, which cannot be told from another "
                "one: give it plain data, a dataclass or a pydantic model"
            ) from None
        return repr(value)


def dataset_digest(examples: Iterable[Example]) -> str:
    """Return the SHA-256 over the examples' digests, in their order."""
    total = hashlib.sha256()
    for example in examples:
        total.update(example.digest.encode())
    return total.hexdigest()


# --- files -------------------------------------------------------------------------------------


class Field(Protocol):
    """What reading a file needs to know of a field."""

    def validate(self, value: Any) -> Any:
        """Return ``value`` as the field's type."""
        ...

    def from_text(self, text: str) -> Any:
        """Return what ``text``, a cell of a table, stands for."""
        ...


class Fields(Protocol):
    """Anything that says what goes in and what comes out: a signature or a program."""

    @property
    def inputs(self) -> Mapping[str, Field]:
        """Input fields by name."""
        ...

    @property
    def outputs(self) -> Mapping[str, Field]:
        """Output fields by name."""
        ...


# Where it stands in the file, its fields, and whether every value of it is text.
Row = tuple[str, Mapping[str, Any], bool]


def load_examples(
    path: str | Path,
    signature: Fields | type[Fields] | None = None,
    *,
    fields: Mapping[str, str] | None = None,
) -> list[Example]:
    """Read examples from a JSONL, JSON, CSV or Parquet file.

    Args:
        path: The file; its ending says what it is.
        signature: A signature or a program: every row must have its inputs, and what it names is
            checked and turned into the declared types. In CSV, where everything is text, an empty
            cell of an optional field is None, and lists and objects are JSON. Other columns, and
            outputs that a row leaves out, are no errors.
        fields: Names in the file -> names in the examples; others are kept as they are.

    Returns:
        The rows in their order.

    Raises:
        ExampleError: The file is missing or empty, or a row is wrong; names file, line and field.
    """
    examples = ExampleList(iterate_examples(path, signature, fields=fields))
    if not examples:
        raise ExampleError(f"{path}: there are no rows in it")
    return examples


def iterate_examples(
    path: str | Path,
    signature: Fields | type[Fields] | None = None,
    *,
    fields: Mapping[str, str] | None = None,
) -> Iterator[Example]:
    """Read as :func:`load_examples` does, row by row: memory does not grow with JSONL and CSV.

    Raises:
        ExampleError: As for :func:`load_examples`, when the row in question is reached.
    """
    file = Path(path)
    reader = _READERS.get(file.suffix.lower())
    if reader is None:
        raise ExampleError(f"{file}: the ending says no known format; use {', '.join(_READERS)}")
    if not file.is_file():
        raise ExampleError(f"{file}: there is no such file")
    if isinstance(signature, str):
        raise ExampleError("load_examples takes a Signature class, signature_of(...) or a program")
    names = dict(fields or {})
    try:
        for place, row, textual in reader(file):
            values = _renamed(row, names, place)
            if signature is not None:
                values = _typed(values, signature, place, textual)
            yield Example(**values)
    except OSError as error:
        raise ExampleError(f"{file}: cannot be read: {error.strerror or error}") from None


def _renamed(row: Mapping[str, Any], names: Mapping[str, str], place: str) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for key, value in row.items():
        name = names.get(key, key)
        if name in values:
            raise ExampleError(f"{place}: two fields are named {name!r}: change fields=")
        values[name] = value
    return values


def _typed(
    values: dict[str, Any], signature: Fields | type[Fields], place: str, textual: bool
) -> dict[str, Any]:
    inputs: Any = signature.inputs
    outputs: Any = signature.outputs
    for name in inputs:
        if name not in values:
            raise ExampleError(
                f"{place}: lacks the input {name!r}; it has {', '.join(values) or 'no fields'}"
            )
    for name, field in {**inputs, **outputs}.items():
        if name in values:
            try:
                read = field.from_text if textual else field.validate
                values[name] = read(values[name])
            except InputError as error:
                raise ExampleError(f"{place}: {error}") from None
    return values


def _jsonl(file: Path) -> Iterator[Row]:
    with file.open("rb") as lines:
        for number, raw in enumerate(lines, start=1):
            place = f"{file}:{number}"
            line = _decoded(raw, place).removeprefix("\ufeff" if number == 1 else "").strip()
            if line:
                yield place, _object(_parsed(line, place), place), False


def _json(file: Path) -> Iterator[Row]:
    rows = _parsed(_decoded(file.read_bytes(), str(file)).removeprefix("\ufeff"), str(file))
    if not isinstance(rows, list):
        raise ExampleError(f"{file}: must hold a list of objects, not a {type(rows).__name__}")
    for index, row in enumerate(rows):
        place = f"{file}, row {index + 1}"
        yield place, _object(row, place), False


def _decoded(raw: bytes, place: str) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ExampleError(f"{place}: not UTF-8 text at byte {error.start + 1}") from None


def _parsed(text: str, place: str) -> Any:
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
    # An escape can write half of a character, which no file and no request can carry.
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
    with file.open("rb") as raw:
        lines = (
            _decoded(line, f"{file}:{n}").removeprefix("\ufeff" if n == 1 else "")
            for n, line in enumerate(raw, start=1)
        )
        reader = csv.reader(lines, strict=True)
        line = 1
        try:
            header = [name.strip() for name in next(reader, [])]
            for name in header:
                if not name:
                    raise ExampleError(f"{file}:1: a column has no name")
                if header.count(name) > 1:
                    raise ExampleError(f"{file}:1: the column {name!r} comes twice")
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


def _parquet(file: Path) -> Iterator[Row]:
    try:
        import pyarrow.parquet as parquet  # noqa: PLC0415 - an extra, needed for this format alone
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


_READERS = {".jsonl": _jsonl, ".json": _json, ".csv": _csv, ".parquet": _parquet}
