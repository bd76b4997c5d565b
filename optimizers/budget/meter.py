"""What a search has requested, each distinct request counted once.

Decisions about the budget use this meter and never what was actually paid: with a warm cache or
after a resume, the same search costs less but must make the same choices.
"""

from __future__ import annotations

import math
import threading

from langprog.lm import Completion, Cost


class Meter:
    """Counts distinct requests by key, in any order of arrival."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tokens: dict[str, int] = {}
        self._dollars: list[float] = []
        self._unpriced = 0

    def count(self, key: str, completion: Completion) -> None:
        """Count ``completion``, unless its request was already counted."""
        with self._lock:
            if key in self._tokens:
                return
            self._tokens[key] = completion.usage.total_tokens
            if completion.dollars is None:
                self._unpriced += 1
            else:
                self._dollars.append(completion.dollars)

    def read(self) -> Cost:
        """Return the totals; after a round, they cover complete requests only."""
        with self._lock:
            # fsum is exact, so the sum does not depend on the order of arrival.
            return Cost(
                len(self._tokens),
                sum(self._tokens.values()),
                math.fsum(self._dollars),
                unpriced=self._unpriced,
            )
