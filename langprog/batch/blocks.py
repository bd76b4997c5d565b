"""The remaining rows, in the order in which their prompts share the longest prefixes.

Follows: Optimizing LLM Queries in Relational Data Analytics Workloads (rows and fields are ordered
so that consecutive prompts share long prefixes). Differs: the fields keep the order of the prompt,
which was certified as it is, so the best order of rows is the sorted one. Rows are sorted in
blocks of a million, on disk if a block exceeds its memory.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from langprog.batch.inputs import ProgramInputs, plain
from langprog.batch.results import KEY_LENGTH, RESERVED, Earlier
from langprog.batch.sorting import ExternalSort
from langprog.batch.sources import Source, SourceRow, missing_from
from langprog.errors import InputError

MOST_ROWS, MOST_BYTES = 1_000_000, 512 * 2**20
# Rows at the beginning that run in input order, because they show how most rows will fare.
FIRST = 64
# Rows with the same inputs that are written together.
TOGETHER = 256
# Approximate size of a row without its text.
_BESIDE = 100

Row = tuple[int, str, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Group:
    """Rows with the same inputs.

    Args:
        text: Their inputs, as ``ProgramInputs.text_of`` writes them.
        rows: The number, the key and the kept columns of each.
        problem: Why they cannot be run; empty if they can.
    """

    text: str
    rows: tuple[Row, ...]
    problem: str = ""


@dataclass(slots=True)
class _First:
    """A group at the beginning, which grows as long as rows have the same inputs."""

    text: str
    rows: list[Row]
    problem: str


class Blocks:
    """Reads a source block by block.

    Args:
        source: The rows.
        inputs: The inputs of the program.
        keep: Columns that are copied to the output.
        run: The identity of the run: only a killed run with the same one is continued.
        earlier: The results of earlier runs.
    """

    def __init__(
        self,
        source: Source,
        inputs: ProgramInputs,
        keep: tuple[str, ...],
        run: str,
        earlier: Earlier,
    ) -> None:
        self._source, self._inputs, self._keep = source, inputs, keep
        self._earlier = earlier
        self._run = hashlib.sha256(run.encode() + b"\n")
        self._rows = enumerate(source.rows(), start=1)
        self._stopped = False
        self._sort: ExternalSort | None = None
        self.read = 0
        self.matched = 0
        self.ended = False

    def stop(self) -> None:
        """Stop the thread that reads a block, and release the files."""
        self._stopped = True
        if self._sort is not None:
            self._sort.close()

    def next(self) -> Iterator[Group] | None:
        """Return the groups of the next block; ``None`` if there is none.

        Raises:
            InputError: The output holds the result of another row, or the source cannot be read.
        """
        if self.ended:
            return None
        first: dict[str, _First] = {}
        sort = ExternalSort()
        begins = self.read == 0
        for number, row in self._rows:
            self.read = number
            text, problem, kept, key = self._read_row(row)
            if self._is_done(number, key):
                continue
            name = text or f"!{number}"
            same = first.get(name)
            if begins and same is None and len(first) < FIRST:
                first[name] = _First(text, [(number, key, kept)], problem)
            elif same is not None and len(same.rows) < TOGETHER:
                same.rows.append((number, key, kept))
            else:
                # Invalid rows come last, or it would look as if most rows failed.
                sort.add([problem != "", text, number, key, kept, problem], len(text) + _BESIDE)
            if sort.count >= MOST_ROWS or sort.total_bytes >= MOST_BYTES or self._stopped:
                break
        else:
            self._end()
        if self._sort is not None:
            self._sort.close()
        self._sort = sort
        groups = [Group(each.text, tuple(each.rows), each.problem) for each in first.values()]
        return _group_rows(groups, sort)

    def _end(self) -> None:
        self.ended = True
        if self.matched < self._earlier.done.count + self._earlier.again.count:
            raise InputError(
                f"--out: it holds results of more rows than {self._source.path} has "
                f"({self.read:,}): name another file, or give the whole input"
            )

    def _read_row(self, row: SourceRow) -> tuple[str, str, dict[str, Any], str]:
        """Return a row's text, its problem, its kept columns, and its key."""
        problem = row.problem or missing_from(row.values, self._inputs.required)
        text = ""
        kept: dict[str, Any] = {}
        try:
            kept = plain(self._pick_kept(row.values))
            text = "" if problem else self._inputs.text_of(row.values)
        except ValueError as error:
            problem = str(error)
        identity = text or f"!{row.raw or problem}"
        digest = self._run.copy()
        if kept:
            identity += "\n" + json.dumps(kept, separators=(",", ":"))
        digest.update(identity.encode("utf-8", "surrogatepass"))
        key = digest.hexdigest()[:KEY_LENGTH]
        return text, f"{row.place}: {problem}" if problem else "", kept, key

    def _pick_kept(self, values: Mapping[str, Any]) -> dict[str, Any]:
        return {name: values[name] for name in self._keep if name in values}

    def _is_done(self, number: int, key: str) -> bool:
        done, again = self._earlier.done.has(number, key), self._earlier.again.has(number, key)
        if done is None or again is None:
            raise InputError(
                f"--out: row {number} is not the result of this program on row {number} of "
                f"{self._source.path} (another artifact, model, --keep, or input): name another "
                "file, or remove it"
            )
        self.matched += done or again
        return done


def _group_rows(first: list[Group], sort: ExternalSort) -> Iterator[Group]:
    yield from first
    rows = sort.drain()
    row = next(rows, None)
    while row is not None:
        _, text, number, key, kept, problem = row
        members: list[Row] = [(number, key, kept)]
        row = next(rows, None)
        # Each invalid row has a problem of its own.
        while row is not None and row[1] == text and not problem and len(members) < TOGETHER:
            members.append((row[2], row[3], row[4]))
            row = next(rows, None)
        yield Group(text, tuple(members), problem)


def columns_kept(keep: tuple[str, ...], outputs: tuple[str, ...]) -> tuple[str, ...]:
    """Return the columns to keep: the named ones, and ``id``.

    Raises:
        InputError: One of them has the name of another field of a result.
    """
    for name in keep:
        if name in RESERVED:
            raise InputError(f"--keep {name}: every result has a field of that name: rename yours")
    automatic = ("id",) if "id" not in (*keep, *outputs) else ()
    return (*automatic, *dict.fromkeys(keep))
