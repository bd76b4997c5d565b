"""Whether a batch should go on, and how far it is."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field

# Rows after which a run may stop, and the share of them that must have failed for one reason.
FIRST_BLOCK = 50
SHARE = 0.9
# Failures that come from the endpoint, not from a row: here the last rows decide.
OF_THE_ENDPOINT = frozenset({"transport", "auth"})


@dataclass(frozen=True, slots=True)
class BatchProgress:
    """How far a batch is.

    Args:
        done: Rows that are in the output, those of earlier runs among them.
        total: Rows of the input; ``None`` until all of it was read.
        failed: Failures among the rows of this run.
        written: Rows that this run wrote.
        seconds: Since the first request.
        dollars: Paid in this run; ``None`` where a price is not known.
    """

    done: int
    total: int | None
    failed: int
    written: int
    seconds: float
    dollars: float | None

    @property
    def rate(self) -> float:
        """Rows that this run wrote in a second."""
        return self.written / self.seconds if self.seconds > 0 else 0.0

    @property
    def seconds_left(self) -> float | None:
        """Seconds that the rest will take at this rate; ``None`` where that cannot be said."""
        if self.total is None or self.rate <= 0:
            return None
        return max(0, self.total - self.done) / self.rate


@dataclass
class Watch:
    """Counts what became of rows, and says when most fail for one reason.

    Rows that fail by themselves are judged among all rows so far; an outage by the last rows,
    because it can begin at any time.
    """

    done: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    first: dict[str, str] = field(default_factory=dict)
    _asked: Counter[str] = field(default_factory=Counter)
    _last: deque[str] = field(default_factory=lambda: deque(maxlen=FIRST_BLOCK))

    @property
    def failed(self) -> int:
        """Rows that failed."""
        return self.failures.total()

    def add(self, kind: str, message: str = "", rows: int = 1) -> None:
        """Count rows with one outcome; those that were asked together count as one for stopping.

        Args:
            kind: The kind of the failure; empty for an answer.
            message: What happened.
            rows: How many.
        """
        self.done += rows
        self._asked[kind] += 1
        self._last.append(kind)
        if kind:
            self.failures[kind] += rows
            self.first.setdefault(kind, message)

    def reason_to_stop(self) -> str | None:
        """Return the kind of failure for which the run should stop, if there is one."""
        asked = self._asked.total()
        if asked < FIRST_BLOCK:
            return None
        for kind in self.failures:
            if kind in OF_THE_ENDPOINT:
                count, among = self._last.count(kind), FIRST_BLOCK
            else:
                count, among = self._asked[kind], asked
            if count >= SHARE * among:
                return kind
        return None
