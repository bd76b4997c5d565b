"""Format 2 to 3: the rows that earlier compiles used, and what they tried.

Format 2 did not record them, so its compiles are unknown, as if there had been none.
"""

from __future__ import annotations

from typing import Any


def migrate(data: dict[str, Any]) -> dict[str, Any]:
    """Return data of format 2 as data of format 3."""
    rest = {name: value for name, value in data.items() if name != "format"}
    return {"compiles": [], **rest, "format": 3}
