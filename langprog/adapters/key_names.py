"""Keys of objects as models write them: case, blanks, ``_`` and ``-`` may differ."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

_KEY_SEPARATORS = re.compile(r"[\s_-]+")


def match_keys(names: Collection[str], data: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return ``data`` with these names as keys, where the match is unambiguous.

    Keys may differ from the names in case, blanks, ``_`` and ``-``.
    """
    missing = [name for name in names if name not in data]
    if not missing:
        return data
    alike_keys: dict[str, list[str]] = {}
    for key in data:
        if key not in names:
            alike_keys.setdefault(fold_key(key), []).append(key)
    renamed = {}
    for name in missing:
        alike = alike_keys.get(fold_key(name), [])
        if len(alike) == 1 and sum(fold_key(other) == fold_key(name) for other in names) == 1:
            renamed[alike[0]] = name
    return {renamed.get(key, key): value for key, value in data.items()}


def fold_key(key: str) -> str:
    """Return a key without the differences that models introduce."""
    return _KEY_SEPARATORS.sub("", key.casefold())
