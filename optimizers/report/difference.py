"""The difference of two texts, word by word."""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from typing import Literal

Piece = tuple[Literal["same", "removed", "added"], str]

# Below this similarity, two texts are easier to read side by side than mixed.
SIMILAR = 0.5
TOKENS = re.compile(r"\s+|\w+|[^\w\s]")


def diff_words(before: str, after: str) -> list[Piece]:
    """Return the pieces of both texts in order: shared ones, and those that only one has.

    The pieces that are not ``added`` make up ``before``, those that are not ``removed`` make up
    ``after``. If the texts have little in common, each is one piece.
    """
    old, new = TOKENS.findall(before), TOKENS.findall(after)
    matcher = SequenceMatcher(None, old, new, autojunk=False)
    if before and after and matcher.ratio() < SIMILAR:
        return [("removed", before), ("added", after)]
    pieces: list[Piece] = []
    for kind, a, b, c, d in matcher.get_opcodes():
        if kind == "equal":
            pieces.append(("same", "".join(new[c:d])))
            continue
        if a < b:
            pieces.append(("removed", "".join(old[a:b])))
        if c < d:
            pieces.append(("added", "".join(new[c:d])))
    return pieces
