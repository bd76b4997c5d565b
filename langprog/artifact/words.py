"""The difference of two texts, word by word."""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from typing import Literal

Piece = tuple[Literal["same", "removed", "added"], str]

_WORD = re.compile(r"\s+|\w+|[^\w\s]")
# Above this many words, lines are compared: the time grows with the square.
_MOST_WORDS = 4_000
# Texts that are less alike are easier to read one after the other.
_SIMILAR = 0.5


def diff_words(before: str, after: str) -> list[Piece]:
    """Return the pieces of both texts in order: shared ones, and those that only one has.

    The pieces that are not ``added`` make up ``before``, those that are not ``removed`` make up
    ``after``. If the texts have little in common, or are too long to compare even by line, each is
    one piece.
    """
    old, new = _WORD.findall(before), _WORD.findall(after)
    if max(len(old), len(new)) > _MOST_WORDS:
        old, new = before.splitlines(keepends=True), after.splitlines(keepends=True)
    matcher = SequenceMatcher(None, old, new, autojunk=False)
    if before == after:
        return [("same", before)] if before else []
    long = max(len(old), len(new)) > _MOST_WORDS
    if before and after and (long or matcher.ratio() < _SIMILAR):
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
