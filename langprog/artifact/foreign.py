"""Recognizing files of other tools that are passed in place of an artifact."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_AGAIN = "declare the program with lp.Predict and other modules, and compile it"
DSPY_STATE = (
    "a DSPy state, not an artifact of langprog: read it into its program, "
    "langprog import STATE --from dspy --into program.py:program --out ARTIFACT"
)
DSPY_PROGRAM = (
    "the folder of a saved DSPy program, not an artifact of langprog: load it with dspy.load, and "
    "pass it to lp.from_dspy"
)
OPENAI_ROWS = (
    "a file of OpenAI requests or conversations, not an artifact: name the file that a compile "
    "wrote"
)
OPENAI_REPLY = (
    "a request or a reply of OpenAI's API, not an artifact: name the file that a compile wrote"
)
GEPA = f"a result or a candidate of GEPA (texts by component), not an artifact: {_AGAIN}"

# The members of a saved dspy.Predict.
_DSPY_PREDICTOR = frozenset({"demos", "traces", "train"})
_OPENAI_ROW = ("messages", "custom_id", "prompt")
_LONGEST_LINE = 2**20


def foreign_folder(folder: Path) -> str | None:
    """Describe a folder if it is recognized, else return ``None``."""
    parts = (folder / "metadata.json", folder / "program.pkl")
    return DSPY_PROGRAM if all(part.is_file() for part in parts) else None


def foreign_data(data: Any) -> str | None:
    """Describe JSON data if it is recognized, else return ``None``."""
    if isinstance(data, list):
        return GEPA if data and all(map(_is_candidate, data)) else None
    if not isinstance(data, Mapping):
        return None
    if _is_dspy(data):
        return DSPY_STATE
    if isinstance(data.get("messages"), list) or str(data.get("object", ""))[:4] == "chat":
        return OPENAI_REPLY
    return GEPA if "candidates" in data or _is_candidate(data) else None


def _is_dspy(data: Mapping[str, Any]) -> bool:
    metadata = data.get("metadata")
    versions = metadata.get("dependency_versions") if isinstance(metadata, Mapping) else None
    if isinstance(versions, Mapping) and "dspy" in versions:
        return True
    parts = [data, *(part for part in data.values() if isinstance(part, Mapping))]
    return any(part.keys() >= _DSPY_PREDICTOR for part in parts)


def _is_candidate(data: Any) -> bool:
    return (
        isinstance(data, Mapping)
        and bool(data)
        and all(isinstance(value, str) for value in data.values())
    )


def foreign_text(text: str) -> str | None:
    """Describe a text that is not JSON if its first line is recognized, else return ``None``."""
    line = text[:_LONGEST_LINE].lstrip().partition("\n")[0]
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    known = isinstance(row, dict) and any(name in row for name in _OPENAI_ROW)
    return OPENAI_ROWS if known else None
