"""Single values in the JSON of a reply, whose numbers keep their notation."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from langprog.adapters.json_reader import Unquoted
from langprog.adapters.scalars import (
    is_null,
    make_mismatch,
    match_label,
    parse_number,
    parse_truth,
)
from langprog.signature import Choice

_NUMERIC = re.compile(r"-?(?:0|[1-9]\d*+)(\.\d++)?+([eE][+-]?\d++)?", re.ASCII)
_PADDED = re.compile(r"[+-]?0\d")
_WORDS: Mapping[str, Any] = MappingProxyType(
    {"true": True, "false": False, "none": None, "null": None}
)

_KINDS: Mapping[type, str] = MappingProxyType(
    {str: "a text", bool: "true or false", int: "an integer", float: "a number"}
)


def plain_from(kind: type, value: Any) -> Any:
    """Return a text, a number or a bool from JSON data.

    Raises:
        Mismatch: The data is something else, or the validator might misread it.
    """
    if isinstance(value, (list, dict)):
        # Rejected here at once: the validator would first look at every other item.
        raise make_mismatch(json.dumps(value, ensure_ascii=False), _KINDS[kind])
    if kind is str:
        if isinstance(value, bool):
            return _write(value)
        # Without quotes, it means that there is no text.
        absent = type(value) is Unquoted and is_null(value, blank=False)
        return None if absent else str(value) if isinstance(value, str) else value
    if kind is bool:
        if type(value) is Unquoted and value in ("0", "1"):
            return value == "1"
        return parse_truth(value) if isinstance(value, str) else value
    wanted = _KINDS[kind]
    if isinstance(value, bool):  # Python treats them as 1 and 0
        raise make_mismatch(_write(value), wanted)
    if type(value) is Unquoted and _PADDED.match(value):  # perhaps the rest of another number
        raise make_mismatch(value, wanted)
    return parse_number(kind, value) if isinstance(value, str) else value


def choice_from(choice: Choice, value: Any) -> Any:
    """Return the choice that JSON data names.

    Raises:
        Mismatch: It does not name a choice.
    """
    if isinstance(value, (list, dict)):
        wanted = f"one of: {', '.join(choice.choices)}"
        raise make_mismatch(json.dumps(value, ensure_ascii=False), wanted)
    return match_label(choice, value if isinstance(value, str) else _write(value))


def _write(value: bool | None) -> str:
    return json.dumps(value)


def anything_from(value: Any) -> Any:
    """Return JSON data with its unquoted words and numbers read."""
    if isinstance(value, list):
        return [anything_from(item) for item in value]
    if isinstance(value, dict):
        return {name: anything_from(item) for name, item in value.items()}
    if type(value) is not Unquoted:
        return value
    numeric = _NUMERIC.fullmatch(value)
    if numeric is not None:
        return parse_number(float if numeric[1] or numeric[2] else int, value)
    return _WORDS[value.casefold()] if value.casefold() in _WORDS else str(value)
