"""What a search has asked for, each distinct request counted once.

Decisions that look at the budget look at this meter, never at what was really paid: a warm cache
or a resumed run pays less for the same search, and must still choose the same.
"""

from __future__ import annotations

import math
import threading

from langprog.lm import Completion, Cost


class Meter:
    """Counts distinct requests by key, in whatever order they arrive."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tokens: dict[str, int] = {}
        self._dollars: list[float] = []
        self._unpriced = 0

    def count(self, key: str, completion: Completion) -> None:
        """Count ``completion``, unless its request was counted before."""
        with self._lock:
            if key in self._tokens:
                return
            self._tokens[key] = completion.usage.total_tokens
            if completion.dollars is None:
                self._unpriced += 1
            else:
                self._dollars.append(completion.dollars)

    def read(self) -> Cost:
        """Return the sums; a whole number of finished requests where a round is over."""
        with self._lock:
            # fsum is exact, so the order of arrival leaves no trace in the last digits.
            return Cost(
                len(self._tokens),
                sum(self._tokens.values()),
                math.fsum(self._dollars),
                unpriced=self._unpriced,
            )
