"""What a tool returned, as text of bounded size."""

from __future__ import annotations

from typing import Any

from pydantic_core import to_jsonable_python

from langprog.adapters import json_text
from langprog.errors import InputError
from langprog.signature import whole_text

EMPTY = "(no result)"


def render_result(value: Any, most: int) -> str:
    """Return a tool's result as text for a model.

    Text stays as it is, as do dates, decimals and other values that are text in JSON; None and
    empty text become ``(no result)``, other values JSON where they have a JSON form.

    Args:
        value: The result.
        most: Characters at most; what was cut off is said.
    """
    text = value if isinstance(value, str) else _to_text(value)
    if not whole_text(text):
        text = text.encode("utf-8", "replace").decode()
    if len(text) > most:
        return (
            f"{text[:most]}\n(cut off: these are the first {most:,} of {len(text):,} characters)"
        )
    return text if text.strip() else EMPTY


def _to_text(value: Any) -> str:
    if value is None:
        return ""
    try:
        plain = to_jsonable_python(value, fallback=str)
        return plain if isinstance(plain, str) else json_text(plain)
    except (InputError, ValueError, TypeError, RecursionError):
        return repr(value)
