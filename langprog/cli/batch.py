"""Run a program over a file of any size: memory stays flat, a killed run goes on."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
from codecs import BOM_UTF8
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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


def rows_in(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yield the rows of a JSONL file with their line numbers, one at a time.

    Raises:
        ExampleError: There is no such file.
    """
    if not path.is_file():
        raise ExampleError(f"--batch: {path}: there is no such file")
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            row = line.removeprefix(BOM_UTF8).strip() if number == 1 else line.strip()
            if row:
                yield number, row


def row_key(run: str, row: bytes) -> str:
    """Return a short digest of a run and an input row, by which a resumed run knows its place."""
    return hashlib.sha256(run.encode() + b"\n" + row).hexdigest()[:16]


def written_before(source: Path, target: Path, run: str) -> int:
    """Return how many rows of ``target`` are complete; a torn last line of this run is cut off.

    Raises:
        InputError: The target is something else than results of this run; it is not touched.
    """
    if not target.exists():
        return 0
    if target.samefile(source):
        raise InputError(f"--out: {target} is the file given as --batch: name another one")
    complete = found = 0
    rows = rows_in(source)
    with target.open("rb+") as file:
        for raw in file:
            _, row = next(rows, (0, b""))
            start = _start(row_key(run, row))
            torn = not raw.endswith(b"\n")
            if not (raw.startswith(start) or (torn and start.startswith(raw))):
                raise InputError(
                    f"--out: {target}: row {found + 1} is not the result of this program on row "
                    f"{found + 1} of {source}: name another file, or remove it"
                )
            if torn:
                break
            found += 1
            complete += len(raw)
        file.truncate(complete)
    return found


def _start(key: str) -> bytes:
    return f'{{"key": "{key}"'.encode()


async def run_batch(program: Module, source: Path, target: Path, width: int, run: str) -> Done:
    """Run ``program`` on every row of ``source``; append one row to ``target`` for each.

    Args:
        program: The program.
        source: JSONL with the program's inputs.
        target: JSONL with ``key`` (digest of run and row) and ``outputs`` or ``failure``.
        width: Rows in work at the same time; at most twice as many are held in memory.
        run: What a killed run must have in common with this one to be gone on with: the
            artifact's digest and the model.

    Raises:
        InputError: The target holds something else than results of this run.
        LangprogError: A model refuses to work at all.
    """
    next(rows_in(source), None)  # or say that there is none, before a target is made
    found = written_before(source, target, run)
    written = failed = 0
    with target.open("ab") as out:
        async for result in _results(program, source, found, width, run):
            failed += "failure" in result
            written += 1
            out.write(_line(result))
            out.flush()
        os.fsync(out.fileno())
    return Done(written, found, failed)


def _line(result: Mapping[str, Any]) -> bytes:
    return f"{json_text(result)}\n".encode()


def json_text(value: Any) -> str:
    """Return JSON that any reader can take: readable, but for half characters of a reply."""
    text = json.dumps(value, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:
        return json.dumps(value)
    return text


async def _results(
    program: Module, source: Path, skip: int, width: int, run: str
) -> AsyncIterator[dict[str, Any]]:
    rows = rows_in(source)
    for _ in range(skip):
        next(rows, None)
    room = asyncio.Semaphore(width)
    waiting: list[asyncio.Task[dict[str, Any]]] = []

    async def one(number: int, row: bytes) -> dict[str, Any]:
        async with room:
            result = await _result(program, f"{source}:{number}", row)
            return {"key": row_key(run, row), **result}

    try:
        for number, row in rows:
            waiting.append(asyncio.create_task(one(number, row)))
            if len(waiting) >= 2 * width:
                yield await waiting.pop(0)
        while waiting:
            yield await waiting.pop(0)
    finally:
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


async def _result(program: Module, place: str, row: bytes) -> dict[str, Any]:
    try:
        prediction = await program.acall(**inputs_of(row, program, place))
        return {"outputs": to_jsonable_python(prediction.to_dict())}
    except (AuthError, BadRequestError, BudgetExceeded, ModelError):
        raise  # no further row could do better
    except LangprogError as error:
        kind = "transport" if isinstance(error, TransportError) else type(error).__name__
        return {"failure": {"kind": kind, "message": str(error)}}
    except Exception as error:  # noqa: BLE001 - one row of many; it is written, not lost
        message = f"{type(error).__name__}: {error}"
        return {"failure": {"kind": "error", "message": message}}


def inputs_of(text: str | bytes, program: Module, place: str) -> dict[str, Any]:
    """Return a program's inputs from a JSON object; other fields are left out.

    Raises:
        InputError: It is no object, or lacks an input.
    """
    try:
        # json would take bytes for UTF-16 or UTF-32 where they look like it.
        data = json.loads(text.decode() if isinstance(text, bytes) else text)
    except json.JSONDecodeError as error:
        raise InputError(f"{place}: not JSON: {error.msg} at column {error.colno}") from None
    except UnicodeDecodeError:
        raise InputError(f"{place}: not UTF-8 text") from None
    except RecursionError:
        raise InputError(f"{place}: not JSON that can be read: nested too deeply") from None
    if not isinstance(data, dict):
        raise InputError(f"{place}: must be a JSON object with the program's inputs")
    names = program.input_names()
    lacking = [name for name in names if name not in data and program.needs_input(name)]
    if lacking:
        raise InputError(f"{place}: lacks {lacking[0]!r}; the inputs are {', '.join(names)}")
    return {name: data[name] for name in names if name in data}
