"""The progress of a batch, and whether it should continue."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field

# Rows after which a run may stop, and the share of them that must fail for one reason.
FIRST_BLOCK = 50
SHARE = 0.9
# Failures of the endpoint, not of a row: here the last rows decide.
OF_THE_ENDPOINT = frozenset({"transport", "auth"})


@dataclass(frozen=True, slots=True)
class BatchProgress:
    """How far a batch is.

    Args:
        done: Rows in the output, including those of earlier runs.
        total: Rows of the input; ``None`` until it has been read.
        failed: Failures among the rows of this run.
        written: Rows that this run wrote.
        seconds: Since the first request.
        dollars: Paid in this run; ``None`` if a price is unknown.
    """

    done: int
    total: int | None
    failed: int
    written: int
    seconds: float
    dollars: float | None

    @property
    def rate(self) -> float:
        """Rows that this run writes per second."""
        return self.written / self.seconds if self.seconds > 0 else 0.0

    @property
    def seconds_left(self) -> float | None:
        """Seconds that the rest will take at this rate; ``None`` if unknown."""
        if self.total is None or self.rate <= 0:
            return None
        return max(0, self.total - self.done) / self.rate


@dataclass
class Watch:
    """Counts the outcomes of rows, and detects when most fail for one reason.

    Failures of the rows themselves are judged over all rows so far, an outage over the last rows,
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
        """Count rows with one outcome; for stopping, rows that share an answer count once.

        Args:
            kind: The kind of failure; empty for an answer.
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
