"""Files of rows that are written again only while they hold nothing that a person put there."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from langprog import Example
from langprog.errors import InputError
from langprog.example import TRAIN_ONLY

# What a choice adds to a row.
REASON = "label_next"
WEAK = "weak label: "


def check_choice_target(path: str | os.PathLike[str], rows: Iterable[Example]) -> None:
    """Check that a file is absent, or holds rows of a choice that nobody has labelled yet.

    Args:
        path: The file.
        rows: The rows that are chosen from: values of other fields are labels.

    Raises:
        InputError: The file holds something else.
    """
    known = {name for row in rows for name, _ in row.items()} | {TRAIN_ONLY, REASON}

    def is_own(row: Mapping[str, Any]) -> bool:
        filled = {name for name, value in row.items() if value not in (None, "")}
        return REASON in row and filled <= known

    _check(Path(path), is_own, "labels that were filled in, or rows of somebody else's")


def check_weak_target(path: str | os.PathLike[str]) -> None:
    """Check that a file is absent, or holds weak labels alone.

    Raises:
        InputError: The file holds something else.
    """

    def is_own(row: Mapping[str, Any]) -> bool:
        return str(row.get(TRAIN_ONLY)).startswith(WEAK)

    _check(Path(path), is_own, "rows that are not weak labels")


def _check(path: Path, is_own: Callable[[Mapping[str, Any]], bool], what: str) -> None:
    try:
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        rows = [json.loads(line) for line in lines if line.strip()]
        own = all(isinstance(row, dict) and is_own(row) for row in rows)
    except (OSError, ValueError):
        own = False
    if not own:
        raise InputError(
            f"{path} exists and holds {what}, which would be lost: name another file, or move it"
        )
