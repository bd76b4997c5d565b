"""Reading JSON from any file in bounded time and memory, with one clear error otherwise."""

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

# Longer than any of our messages, apart from what they quote.
LONGEST_MESSAGE = 600

_STARTS: Mapping[bytes, str] = MappingProxyType(
    {
        b"\x1f\x8b": "compressed (gzip): unpack it first",
        b"PK\x03\x04": "a zip archive, not JSON: unpack it first",
        b"\x80": "a pickle, not JSON, and langprog never loads pickles: compile again",
        b"\xff\xfe": "UTF-16 text, not UTF-8 (JSON): save it as UTF-8",
        b"\xfe\xff": "UTF-16 text, not UTF-8 (JSON): save it as UTF-8",
        b"\xef\xbb\xbf": "text with a byte order mark, which JSON does not allow: remove it",
    }
)
_STRUCTURE = b"[]{},"
_OTHERS = bytes(value for value in range(256) if value not in _STRUCTURE)
_STEPS: Mapping[int, int] = MappingProxyType({91: 1, 123: 1, 93: -1, 125: -1})
_STRING = re.compile(rb'"[^"]*"?')


def one_line(text: str) -> str:
    """Return a message as one printable line of bounded length."""
    if len(text) > LONGEST_MESSAGE:
        text = f"{text[: LONGEST_MESSAGE - 200]} ... {text[-190:]}"
    return " ".join("".join(ch if ch.isprintable() else " " for ch in text).split())


def read_object(file: Path) -> dict[str, Any]:
    """Return the JSON object in a file, which must have a field ``format``.

    Raises:
        ArtifactError: The file does not contain one.
    """
    content = _read_bytes(file)
    start = re.search(rb"\S", content)
    if start is None:
        raise ArtifactError(f"{file} is not an artifact: it is empty, not JSON")
    for mark, description in _STARTS.items():
        if content.startswith(mark):
            raise ArtifactError(f"{file} is not an artifact: it is {description}")
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
                f"{file} is cut off in the middle of its JSON: copy it again, or compile again"
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
        # Checked before opening: opening a pipe blocks, and opening a device may have effects.
        _check_kind(file, os.stat(file))
        handle = os.open(file, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        with os.fdopen(handle, "rb") as opened:
            _check_kind(file, os.fstat(opened.fileno()))
            content = opened.read(LARGEST + 1)
    except FileNotFoundError:
        raise ArtifactError(f"{file}: there is no such file") from None
    except OSError as error:
        raise ArtifactError(f"{file} cannot be read: {error.strerror}") from None
    except ValueError as error:  # an invalid file name
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
    return ArtifactError(f"{file} is not an artifact: it is larger than {LARGEST // 2**20} MB")


def _check_structure(file: Path, content: bytes) -> None:
    """Refuse JSON with too many values or levels, before it is parsed.

    Counts in a few passes over the bytes, without a call per byte and without recursion. Up to
    the first syntax error, it sees the text as a JSON parser does, and a parser goes no further.
    """
    if b"\\" in content:
        content = content.replace(b"\\\\", b"").replace(b'\\"', b"")
    if content.count(b'"') > 8 * MOST_VALUES:  # two keys and texts per value
        raise _too_many_error(file)
    bare = _STRING.sub(b"", content).translate(None, _OTHERS)
    brackets = bare.translate(None, b",")
    # Each allowed value opens and closes at most one level.
    levels = accumulate(map(_STEPS.__getitem__, brackets[: 2 * MOST_VALUES]))
    if max(levels, default=0) > DEEPEST:
        raise ArtifactError(
            f"{file} is not an artifact: it is nested too deeply (more than {DEEPEST} levels)"
        )
    if bare.count(b",") + bare.count(b"[") + bare.count(b"{") > MOST_VALUES:
        raise _too_many_error(file)


def _too_many_error(file: Path) -> ArtifactError:
    return ArtifactError(
        f"{file} is not an artifact: it contains more than {MOST_VALUES:,} values"
    )
