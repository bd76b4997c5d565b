"""The file formats of a batch, by suffix or by name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Literal, get_args

from langprog.errors import InputError

Format = Literal["jsonl", "csv", "tsv", "parquet"]
FORMATS: tuple[Format, ...] = get_args(Format)
SUFFIXES: Mapping[str, Format] = MappingProxyType(
    {
        ".jsonl": "jsonl",
        ".ndjson": "jsonl",
        ".csv": "csv",
        ".tsv": "tsv",
        ".parquet": "parquet",
        ".pq": "parquet",
    }
)


def format_named(name: str) -> Format:
    """Return a format by its name.

    Raises:
        InputError: There is no such format.
    """
    if name not in FORMATS:
        raise InputError(f"--format {name!r}: there are {', '.join(FORMATS)}")
    return name


def format_of(path: Path, option: str, *, named: str | None = None) -> Format:
    """Return the format of a file: that of its suffix, else the named one.

    Args:
        path: The file; it need not exist.
        option: The option that names the file, for the message.
        named: The format to use if the suffix is unknown.

    Raises:
        InputError: Neither determines a format.
    """
    known = SUFFIXES.get(path.suffix.lower())
    if known is not None:
        return known
    if named is not None:
        return format_named(named)
    raise InputError(
        f"{option}: {path}: unknown suffix (known: {', '.join(SUFFIXES)}): rename the "
        f"file, or add --format with one of {', '.join(FORMATS)}"
    )
