"""Writes the requested file from the results in order of arrival."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from langprog.batch.formats import Format
from langprog.batch.results import ResultFile, line_of, remove_unfinished, write_whole
from langprog.batch.sorting import ExternalSort
from langprog.batch.sources import Source, parquet_library
from langprog.batch.tables import check_columns, records_of, write_table
from langprog.errors import InputError


@dataclass(frozen=True, slots=True)
class Target:
    """The output file.

    Args:
        path: The file.
        format: Its format.
        keep: Columns that are copied to the output.
    """

    path: Path
    format: Format
    keep: tuple[str, ...]

    @property
    def is_jsonl(self) -> bool:
        """Whether results are appended to the file itself."""
        return self.format == "jsonl"

    @property
    def results_path(self) -> Path:
        """The file to which results are appended; a table is written from it at the end."""
        return self.path if self.is_jsonl else Path(f"{self.path}.partial.jsonl")

    def forget(self, results: ResultFile) -> None:
        """Remove the file to which results are appended, if it is not the target itself."""
        if not self.is_jsonl and results.copied:
            results.path.unlink()

    def as_source(self) -> Source:
        """Return the file as a source."""
        return Source(self.path, self.format, option="--out")


def check_target(target: Target, source: Source, outputs: tuple[str, ...]) -> None:
    """Reject a target that cannot be written, before the run starts.

    Raises:
        InputError: It is the source, or a table that cannot hold the results.
    """
    for path in (target.path, target.results_path):
        if path.exists() and path.samefile(source.path):
            raise InputError(f"--out: {path} is the file given as --batch: name another one")
        if path.exists() and not path.is_file():
            raise InputError(f"--out: {path} is not a plain file: name one")
    if not target.is_jsonl:
        check_columns(target.keep, outputs)
    if target.format == "parquet":
        parquet_library(target.path, "--out")


def prepare(target: Target, retry: Callable[[str], bool]) -> ResultFile:
    """Open the file to which results are appended; an existing table is imported first.

    Raises:
        InputError: Another run is using it, or it holds something other than results.
    """
    appended = target.results_path
    begun = appended.exists() and appended.stat().st_size > 0
    copied = not target.is_jsonl and target.path.exists() and not begun
    if copied:
        # Read in full before creating the file, so that a foreign file stays untouched.
        write_whole(appended, map(line_of, records_of(target.as_source(), target.keep)))
    results = ResultFile(appended, target.path, retry, copied=copied)
    # The lock guarantees that nobody is writing these any more.
    for path in {target.path, appended}:
        remove_unfinished(path)
    return results


def finish(target: Target, results: ResultFile, outputs: tuple[str, ...], order: str) -> None:
    """Write the target from all results.

    Raises:
        OSError: It cannot be written; the results stay where they are.
    """
    records = partial(_in_order, results) if order == "input" else results.records
    if not target.is_jsonl:
        write_table(target.path, target.format, records, target.keep, outputs)
        results.path.unlink()
    elif order == "input" and not _is_ordered(results):
        write_whole(target.path, map(line_of, records()))


def _is_ordered(results: ResultFile) -> bool:
    before = 0
    for record in results.records():
        if record["row"] < before:
            return False
        before = record["row"]
    return True


def _in_order(results: ResultFile) -> Iterator[dict[str, Any]]:
    sort = ExternalSort()
    try:
        for record in results.records():
            sort.add([record["row"], record], len(line_of(record)))
        for _, record in sort.drain():
            yield record
    finally:
        sort.close()
