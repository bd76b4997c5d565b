"""Checks, before any work, that what a command writes can be written, and takes nothing away."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType

from langprog.errors import InputError

Sources = Mapping[str, str | Iterable[str] | None]


def check_writable(path: str, option: str, reads: Sources = MappingProxyType({})) -> Path:
    """Return an output file's path after checking, before any work, that it can be written.

    Args:
        path: The file.
        option: Its option, for errors.
        reads: What the command reads, by its option: files, or what names one, such as
            ``file.py:name`` and ``NAME=file``. The output may be none of them.

    Raises:
        InputError: Its folder does not exist or cannot be written, or it is a file that is read.
    """
    target = Path(path)
    folder = target.parent
    if target.is_dir():
        raise InputError(f"{option}: {path} is a folder; name a file")
    if not folder.is_dir():
        raise InputError(f"{option}: the folder {folder} does not exist")
    if not os.access(target if target.exists() else folder, os.W_OK):
        raise InputError(f"{option}: {path} cannot be written")
    for name, sources in reads.items():
        listed = [sources] if isinstance(sources, str) else sources or ()
        if any(_is_named(target, source) for source in listed):
            raise InputError(
                f"{option}: {path} is the file that {name} reads, and would be written over: name "
                "another one"
            )
    return target


def _is_named(target: Path, source: str) -> bool:
    """Return whether a file is the one that a source names."""
    after = source.partition("=")[2]
    names = [source, after, *(each.rpartition(":")[0] for each in (source, after))]
    return target.exists() and any(
        name and os.path.exists(name) and target.samefile(name) for name in names
    )
