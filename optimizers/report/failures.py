"""Counts of the rows that failed during a compile, by kind, with the first message of each."""

from __future__ import annotations

from typing import Any

from langprog.evaluation import Row


class FailureTally:
    """Counts failed rows while a compile goes on.

    A kind that leaves a row without a score (an outage) is told apart from one that scores 0 (a
    reply that cannot be read).
    """

    def __init__(self) -> None:
        self._counts: dict[tuple[str, str], int] = {}
        self._first: dict[tuple[str, str], tuple[str, bool]] = {}

    def add(self, part: str, row: Row) -> None:
        """Count a row, if it failed.

        Args:
            part: The part of the data that it belongs to, such as ``holdout``.
            row: The row, after its last attempt.
        """
        if row.failure is None:
            return
        key = part, row.failure.kind
        self._counts[key] = self._counts.get(key, 0) + 1
        self._first.setdefault(key, (row.failure.message, row.score is None))

    def to_json(self) -> list[dict[str, Any]]:
        """Return one object per part and kind, the most frequent first."""
        ordered = sorted(self._counts.items(), key=lambda item: (-item[1], item[0]))
        return [
            {
                "part": part,
                "kind": kind,
                "rows": count,
                "missing": self._first[part, kind][1],
                "message": self._first[part, kind][0],
            }
            for (part, kind), count in ordered
        ]
