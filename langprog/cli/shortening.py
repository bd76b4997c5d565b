"""Texts for a person's screen: cut where they are long, and said so."""

from __future__ import annotations


class Shortener:
    """Cuts texts, and remembers whether it has cut any.

    Args:
        full: Whether to leave every text as it is.
    """

    def __init__(self, *, full: bool = False) -> None:
        self._full = full
        self.has_cut = False

    def cut(self, text: str, most: int) -> str:
        """Return ``text``, or its first ``most`` characters and how many are left out."""
        left = len(text) - most
        if self._full or left <= 40:  # saying so would take as much room
            return text
        self.has_cut = True
        return f"{text[:most].rstrip()} ... ({left:,} more characters)"

    def count(self, number: int, most: int) -> int:
        """Return how many of ``number`` items are shown."""
        if self._full or number <= most:
            return number
        self.has_cut = True
        return most
