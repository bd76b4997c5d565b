"""What a person sees at the end of a notebook's cell: short texts, and small cards of HTML.

A repr of langprog fits on a screen, whatever the object holds; a card escapes every text that it
is given, so that neither a prompt nor a model's reply can add markup to a notebook.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

__all__ = ["list_short", "render_card", "shorten", "short_repr"]

# Characters of a whole repr, of one value in it, and of a cell in a card.
MOST, MOST_VALUE, MOST_CELL = 1000, 200, 400

_CARD = (
    "border:1px solid color-mix(in srgb,currentColor 25%,transparent);border-radius:6px;"
    "padding:8px 12px;display:inline-block;max-width:100%;overflow-x:auto"
)
_CELL = "text-align:left;vertical-align:top;padding:2px 10px 2px 0;white-space:pre-wrap"


def shorten(text: str, most: int = MOST) -> str:
    """Return ``text``, cut off where it has more than ``most`` characters."""
    return text if len(text) <= most else f"{text[: most - 4].rstrip()} ..."


def short_repr(value: Any, most: int = MOST_VALUE) -> str:
    """Return the repr of ``value``, cut off where it has more than ``most`` characters."""
    return shorten(repr(value), most)


def list_short(pairs: Iterable[tuple[str, Any]], most: int = MOST) -> str:
    """Return ``name=value, ...`` with every value and the whole cut off where they are long."""
    return shorten(", ".join(f"{name}={short_repr(value)}" for name, value in pairs), most)


def render_card(
    title: str,
    facts: Iterable[tuple[str, object]] = (),
    *,
    heads: Sequence[str] = (),
    rows: Iterable[Sequence[object]] = (),
    note: str = "",
) -> str:
    """Return a card as HTML.

    Args:
        title: Its first line.
        facts: Names with what they stand for.
        heads: Names of the columns of a table below the facts.
        rows: The table's rows.
        note: A line below everything.
    """
    parts = [f"<b>{escape(shorten(title, MOST_CELL))}</b>"]
    lines = "".join(f"<tr>{_cell(name, 'th')}{_cell(value)}</tr>" for name, value in facts)
    if lines:
        parts.append(f"<table style='border:none'>{lines}</table>")
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)
    if body:
        top = "".join(_cell(head, "th") for head in heads)
        parts.append(f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>")
    if note:
        parts.append(f"<div>{escape(shorten(note, MOST))}</div>")
    return f"<div style='{_CARD}'>{''.join(parts)}</div>"


def _cell(value: object, tag: str = "td") -> str:
    return f"<{tag} style='{_CELL}'>{escape(shorten(str(value), MOST_CELL))}</{tag}>"
