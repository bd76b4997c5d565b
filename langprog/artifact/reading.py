"""From a path to JSON data: whatever the file is, in bounded time and memory, or one sentence."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from itertools import accumulate
from pathlib import Path
from types import MappingProxyType
from typing import Any

from langprog.artifact.foreign import foreign_data, foreign_folder, foreign_text
from langprog.errors import ArtifactError
from langprog.strict_json import strict_json

# Far above what programs need; parsing such a file takes seconds and less than a gigabyte.
LARGEST = 64 * 2**20
MOST_VALUES = 500_000
DEEPEST = 200

# Longer than any sentence of ours, apart from what it quotes.
LONGEST_MESSAGE = 600

_STARTS: Mapping[bytes, str] = MappingProxyType(
    {
        b"\x1f\x8b": "compressed (gzip): unpack it first",
        b"PK\x03\x04": "a zip archive, not JSON: unpack it first",
        b"\x80": "a pickle, not JSON, and langprog opens none: compile again",
        b"\xff\xfe": "not (JSON) text in UTF-8 but in UTF-16: store it as UTF-8",
        b"\xfe\xff": "not (JSON) text in UTF-8 but in UTF-16: store it as UTF-8",
        b"\xef\xbb\xbf": "text with a byte order mark, which JSON does not have: take it out",
    }
)
_STRUCTURE = b"[]{},"
_OTHERS = bytes(value for value in range(256) if value not in _STRUCTURE)
_STEPS: Mapping[int, int] = MappingProxyType({91: 1, 123: 1, 93: -1, 125: -1})
_STRING = re.compile(rb'"[^"]*"?')


def one_line(text: str) -> str:
    """Return a message as one clean line of bounded length, whatever it quotes."""
    if len(text) > LONGEST_MESSAGE:
        text = f"{text[: LONGEST_MESSAGE - 200]} ... {text[-190:]}"
    return " ".join("".join(ch if ch.isprintable() else " " for ch in text).split())


def read_object(file: Path) -> dict[str, Any]:
    """Return the JSON object in a file that has a field ``format``.

    Raises:
        ArtifactError: There is none.
    """
    content = _read_bytes(file)
    start = re.search(rb"\S", content)
    if start is None:
        raise ArtifactError(f"{file} is not an artifact: it is empty, not JSON")
    for mark, told in _STARTS.items():
        if content.startswith(mark):
            raise ArtifactError(f"{file} is not an artifact: it is {told}")
    _check_structure(file, content)
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        raise ArtifactError(f"{file} is not an artifact: it is not (JSON) text") from None
    try:
        data = strict_json(text)
    except ValueError as error:
        foreign = foreign_text(text)
        if foreign is not None:
            raise ArtifactError(f"{file} is {foreign}") from None
        if content[start.start()] == ord("{") and not content.rstrip().endswith(b"}"):
            raise ArtifactError(
                f"{file} is cut off: its JSON does not end; copy it again, or compile again"
            ) from None
        raise ArtifactError(f"{file} is not an artifact: it is not JSON ({error})") from None
    if not isinstance(data, dict) or "format" not in data:
        foreign = foreign_data(data)
        if foreign is not None:
            raise ArtifactError(f"{file} is {foreign}")
        raise ArtifactError(f"{file} is not an artifact: it has no field 'format'")
    return data


def _read_bytes(file: Path) -> bytes:
    try:
        # Asked before it is opened: opening a pipe waits, and opening a device may do something.
        _check_kind(file, os.stat(file))
        handle = os.open(file, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        with os.fdopen(handle, "rb") as opened:
            _check_kind(file, os.fstat(opened.fileno()))
            content = opened.read(LARGEST + 1)
    except FileNotFoundError:
        raise ArtifactError(f"{file}: there is no such file") from None
    except OSError as error:
        raise ArtifactError(f"{file} cannot be read: {error.strerror}") from None
    except ValueError as error:  # a name that no file can have
        raise ArtifactError(f"{file} cannot be read: {error}") from None
    if len(content) > LARGEST:
        raise _too_large_error(file)
    return content


def _check_kind(file: Path, status: os.stat_result) -> None:
    if stat.S_ISDIR(status.st_mode):
        foreign = foreign_folder(file)
        if foreign is not None:
            raise ArtifactError(f"{file} is {foreign}")
        raise ArtifactError(f"{file} is a folder: name the artifact's file")
    if not stat.S_ISREG(status.st_mode):
        raise ArtifactError(f"{file} is a pipe, a socket or a device: name the artifact's file")
    if status.st_size > LARGEST:
        raise _too_large_error(file)


def _too_large_error(file: Path) -> ArtifactError:
    return ArtifactError(
        f"{file} is not an artifact: it is larger than {LARGEST // 2**20} MB, more than any "
        "program"
    )


def _check_structure(file: Path, content: bytes) -> None:
    """Refuse JSON of too many values or levels, before anything is made of it.

    It counts in a few passes over the bytes, without a call per byte and without recursion. Up to
    its first mistake it sees a text as a JSON parser does, and no further does a parser go.
    """
    if b"\\" in content:
        content = content.replace(b"\\\\", b"").replace(b'\\"', b"")
    if content.count(b'"') > 8 * MOST_VALUES:  # twice a key and a text for each value
        raise _too_many_error(file)
    bare = _STRING.sub(b"", content).translate(None, _OTHERS)
    brackets = bare.translate(None, b",")
    # Each value that is not too many opens at most one level and closes it.
    levels = accumulate(map(_STEPS.__getitem__, brackets[: 2 * MOST_VALUES]))
    if max(levels, default=0) > DEEPEST:
        raise ArtifactError(
            f"{file} is not an artifact: it is nested too deeply (more than {DEEPEST} levels)"
        )
    if bare.count(b",") + bare.count(b"[") + bare.count(b"{") > MOST_VALUES:
        raise _too_many_error(file)


def _too_many_error(file: Path) -> ArtifactError:
    return ArtifactError(
        f"{file} is not an artifact: it holds more than {MOST_VALUES:,} values, more than "
        "any program"
    )
