"""Reading files of other tools: bounded in size, and each error says where it is."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from langprog.errors import InputError
from langprog.strict_json import strict_json

LARGEST = 256 * 2**20
LARGEST_PROMPT = 2**20
MOST_ROWS = 1_000_000


def read_text(path: str | os.PathLike[str], largest: int = LARGEST) -> str:
    """Return a file's text.

    Args:
        path: The file.
        largest: The most bytes that it may have.

    Raises:
        InputError: There is no such file, it is too large, or it is not UTF-8 text.
    """
    file = Path(path)
    try:
        # Checked before opening: opening a pipe blocks.
        if not stat.S_ISREG(os.stat(file).st_mode):
            raise InputError(f"{file} is not a file: name a file")
        with file.open("rb") as opened:
            content = opened.read(largest + 1)
    except FileNotFoundError:
        raise InputError(f"{file}: there is no such file") from None
    except OSError as error:
        raise InputError(f"{file} cannot be read: {error.strerror or error}") from None
    except ValueError as error:  # an invalid file name
        raise InputError(f"{str(file)!r:.80} cannot be read: {error}") from None
    if len(content) > largest:
        raise InputError(f"{file} is larger than {size_text(largest)}, which is the most")
    try:
        return content.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise InputError(f"{file}:{line}: it is not UTF-8 text") from None


def size_text(size: int) -> str:
    """Return a number of bytes in words."""
    return f"{size // 2**20} MB" if size >= 2**20 else f"{size // 2**10} kB"


def read_json(path: str | os.PathLike[str], largest: int = LARGEST) -> Any:
    """Return the JSON value in a file.

    Raises:
        InputError: It is not strict JSON, or as for :func:`read_text`.
    """
    return parse_json(read_text(path, largest), str(path))


def parse_json(text: str, place: str, line: int = 1) -> Any:
    """Return the value of a JSON text.

    Args:
        text: The text.
        place: What it is, for errors.
        line: The line of the file where it begins.

    Raises:
        InputError: It is not strict JSON.
    """
    try:
        value = strict_json(text)
    except ValueError as error:
        at = line + getattr(error, "lineno", 1) - 1
        raise InputError(f"{place}:{at}: it is not JSON: {getattr(error, 'msg', error)}") from None
    if "\\u" in text and holds_half(value):
        raise InputError(f"{place}:{line}: a \\u escape stands for half of a character")
    return value


def holds_half(value: Any) -> bool:
    """Return whether a text in JSON data has half of a character, which no file can hold."""
    pending = [value]
    while pending:
        each = pending.pop()
        if isinstance(each, dict):
            pending += [*each, *each.values()]
        elif isinstance(each, list):
            pending += each
        elif isinstance(each, str) and any("\ud800" <= sign <= "\udfff" for sign in each):
            return True
    return False


def read_json_lines(path: str | os.PathLike[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield where it stands and the object of each line that is not blank.

    Raises:
        InputError: A line is not a JSON object, there are too many of them or none, or as for
            :func:`read_text`.
    """
    rows = 0
    # Only line feeds end a line: JSON texts may hold other separators as they are.
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        if not line.strip():
            continue
        rows += 1
        if rows > MOST_ROWS:
            raise InputError(f"{path}:{number}: there are more than {MOST_ROWS:,} rows: split it")
        value = parse_json(line, str(path), number)
        if not isinstance(value, dict):
            raise InputError(f"{path}:{number}: a line holds one JSON object, not {value!r:.40}")
        yield f"{path}:{number}", value
    if not rows:
        raise InputError(f"{path}: there are no rows in it")
