"""What a search has asked for, each distinct request counted once.

Decisions that look at the budget look at this meter, never at what was really paid: a warm cache
or a resumed run pays less for the same search, and must still choose the same.
"""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass

from langprog.lm import Completion


@dataclass(frozen=True, slots=True)
class Metered:
    """Distinct requests asked so far.

    Args:
        calls: Their number.
        tokens: Prompt and completion tokens together.
        dollars: Their price, or ``None`` where the price of one is not known.
    """

    calls: int = 0
    tokens: int = 0
    dollars: float | None = 0.0

    def since(self, earlier: Metered) -> Metered:
        """Return what was asked after ``earlier``."""
        dollars = None
        if self.dollars is not None and earlier.dollars is not None:
            dollars = self.dollars - earlier.dollars
        return Metered(self.calls - earlier.calls, self.tokens - earlier.tokens, dollars)

    def plus(self, other: Metered) -> Metered:
        """Return both together."""
        dollars = None
        if self.dollars is not None and other.dollars is not None:
            dollars = self.dollars + other.dollars
        return Metered(self.calls + other.calls, self.tokens + other.tokens, dollars)

    def to_json(self) -> dict[str, int | float | None]:
        """Return a JSON object."""
        return {"calls": self.calls, "tokens": self.tokens, "dollars": self.dollars}


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

    def read(self) -> Metered:
        """Return the sums; a whole number of finished requests where a round is over."""
        with self._lock:
            # fsum is exact, so the order of arrival leaves no trace in the last digits.
            dollars = None if self._unpriced else math.fsum(self._dollars)
            return Metered(len(self._tokens), sum(self._tokens.values()), dollars)
