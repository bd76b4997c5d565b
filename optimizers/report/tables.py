"""Tables that a reader can sort by a click on a column's head."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import Any


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


def table(head: Iterable[str], rows: Iterable[Iterable[Any]], *, sortable: bool = False) -> str:
    """Return a table; numbers stand on the right, ``Markup`` goes in as it is.

    Args:
        head: Names of the columns.
        rows: Their cells.
        sortable: Whether a click on a column's head sorts by it.
    """
    top = "".join(f"<th scope='col'>{escape(name)}</th>" for name in head)
    body = "".join("<tr>" + "".join(map(_cell, row)) + "</tr>" for row in rows)
    style = " class='sortable'" if sortable else ""
    return (
        f"<div class='scroll'><table{style}><thead><tr>{top}</tr></thead>"
        f"<tbody>{body}</tbody></table></div>"
    )


def _cell(value: Any) -> str:
    if isinstance(value, Markup):
        return f"<td>{value}</td>"
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        text = f"{value:,}" if isinstance(value, int) else f"{value:.3f}"
        return f"<td class='number' data-value='{value}'>{text}</td>"
    return f"<td>{escape(str(value))}</td>"
