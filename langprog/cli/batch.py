"""Run a program over a file of any size: memory stays flat, a killed run goes on."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from pydantic_core import to_jsonable_python

from langprog.errors import (
    AuthError,
    BadRequestError,
    BudgetExceeded,
    ExampleError,
    InputError,
    LangprogError,
    ModelError,
    TransportError,
)
from langprog.modules import Module


@dataclass(frozen=True, slots=True)
class Done:
    """What a batch run did: rows written now, rows that were there, failures among the new."""

    written: int
    found: int
    failed: int


def rows_in(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the rows of a JSONL file with their line numbers, one at a time.

    Raises:
        ExampleError: The file is missing or is no UTF-8 text.
    """
    try:
        with path.open(encoding="utf-8-sig") as file:
            for number, line in enumerate(file, start=1):
                if line.strip():
                    yield number, line.strip()
    except FileNotFoundError:
        raise ExampleError(f"--batch: {path}: there is no such file") from None
    except UnicodeDecodeError:
        raise ExampleError(f"--batch: {path}: not UTF-8 text") from None


def run_digest(line: str) -> str:
    """Return a short digest of an input row, by which a resumed run knows its place."""
    return hashlib.sha256(line.encode()).hexdigest()[:16]


def written_before(source: Path, target: Path) -> int:
    """Return how many rows of ``target`` are complete; a torn last line is cut off.

    Raises:
        InputError: The target's rows are not those of the source.
    """
    if not target.exists():
        return 0
    complete, rows = 0, rows_in(source)
    with target.open("rb+") as file:
        found = 0
        for raw in file:
            if not raw.endswith(b"\n"):
                break
            _, line = next(rows, (0, ""))
            if _stated(raw) != run_digest(line):
                raise InputError(
                    f"--out: {target}: row {found + 1} is not the result of row {found + 1} of "
                    f"{source}: name another file, or remove it"
                )
            found += 1
            complete += len(raw)
        file.truncate(complete)
    return found


def _stated(raw: bytes) -> str | None:
    try:
        data = json.loads(raw)
    except ValueError:
        return None
    return data.get("input") if isinstance(data, dict) else None


async def run_batch(program: Module, source: Path, target: Path, width: int) -> Done:
    """Run ``program`` on every row of ``source``; append one row to ``target`` for each.

    Args:
        program: The program.
        source: JSONL with the program's inputs.
        target: JSONL with ``input`` (digest of the row) and ``outputs`` or ``failure``.
        width: Rows in work at the same time; at most twice as many are held in memory.

    Raises:
        InputError: The target belongs to another source.
        LangprogError: A model refuses to work at all.
    """
    found = written_before(source, target)
    written = failed = 0
    with target.open("a", encoding="utf-8", newline="\n") as out:
        async for result in _results(program, source, found, width):
            failed += "failure" in result
            written += 1
            _append(out, result)
        out.flush()
        os.fsync(out.fileno())
    return Done(written, found, failed)


def _append(out: TextIO, result: Mapping[str, Any]) -> None:
    out.write(json.dumps(result, ensure_ascii=False) + "\n")
    out.flush()


async def _results(
    program: Module, source: Path, skip: int, width: int
) -> AsyncIterator[dict[str, Any]]:
    rows = rows_in(source)
    for _ in range(skip):
        next(rows, None)
    room = asyncio.Semaphore(width)
    waiting: list[asyncio.Task[dict[str, Any]]] = []

    async def one(number: int, line: str) -> dict[str, Any]:
        async with room:
            return await _row(program, source, number, line)

    try:
        for number, line in rows:
            waiting.append(asyncio.create_task(one(number, line)))
            if len(waiting) >= 2 * width:
                yield await waiting.pop(0)
        while waiting:
            yield await waiting.pop(0)
    finally:
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


async def _row(program: Module, source: Path, number: int, line: str) -> dict[str, Any]:
    result: dict[str, Any] = {"input": run_digest(line)}
    try:
        inputs = inputs_of(line, program, f"{source}:{number}")
        prediction = await program.acall(**inputs)
    except (AuthError, BadRequestError, BudgetExceeded, ModelError):
        raise  # no further row could do better
    except LangprogError as error:
        kind = "transport" if isinstance(error, TransportError) else type(error).__name__
        return {**result, "failure": {"kind": kind, "message": str(error)}}
    except Exception as error:  # noqa: BLE001 - one row of many; it is written, not lost
        message = f"{type(error).__name__}: {error}"
        return {**result, "failure": {"kind": "error", "message": message}}
    return {**result, "outputs": to_jsonable_python(prediction.to_dict())}


def inputs_of(text: str, program: Module, place: str) -> dict[str, Any]:
    """Return a program's inputs from a JSON object; other fields are left out.

    Raises:
        InputError: It is no object, or lacks an input.
    """
    try:
        data = json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(f"{place}: not JSON: {error.msg} at column {error.colno}") from None
    if not isinstance(data, dict):
        raise InputError(f"{place}: must be a JSON object with the program's inputs")
    names = program.input_names()
    lacking = [name for name in names if name not in data]
    if lacking:
        raise InputError(f"{place}: lacks {lacking[0]!r}; the inputs are {', '.join(names)}")
    return {name: data[name] for name in names}
