"""Two texts as one, with what was taken out and what was put in, word by word."""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from html import escape

# Below this likeness a new text is easier to read beside the old one than mixed into it.
SIMILAR = 0.5
PIECES = re.compile(r"\s+|\w+|[^\w\s]")


def word_difference(before: str, after: str) -> str:
    """Return ``after`` as HTML, with ``<del>`` and ``<ins>`` against ``before``."""
    old, new = PIECES.findall(before), PIECES.findall(after)
    matcher = SequenceMatcher(None, old, new, autojunk=False)
    if before and matcher.ratio() < SIMILAR:
        return f"<del>{escape(before)}</del>\n<ins>{escape(after)}</ins>"
    parts = []
    for kind, a, b, c, d in matcher.get_opcodes():
        if kind == "equal":
            parts.append(escape("".join(new[c:d])))
            continue
        if a < b:
            parts.append(f"<del>{escape(''.join(old[a:b]))}</del>")
        if c < d:
            parts.append(f"<ins>{escape(''.join(new[c:d]))}</ins>")
    return "".join(parts)
