"""How the runs of a compile are scored, and what of them failed so far."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from langprog.errors import LangprogError, TransportError
from langprog.evaluation import FailureKind, Metric, MetricErrors, Range, Row, range_of

# A program of which so many runs failed, and none succeeded, is not searched any further.
MIN_FAILED = 5
# Of so many first runs nearly all may fail for one reason: then the rest is luck.
BLOCK, NEARLY_ALL = 20, 0.95


class ProgramError(LangprogError):
    """Every run of the program failed, for a reason that no search mends."""


@dataclass(frozen=True, slots=True)
class FailureCount:
    """How many runs failed in one way.

    Args:
        kind: The way.
        count: How many.
        first: What the first of them said.
    """

    kind: FailureKind
    count: int
    first: str

    def __str__(self) -> str:
        return f"{self.count} {self.kind} ({self.first})"


class FailureLog:
    """Counts the failures of a compile's runs, and stops one that cannot get anywhere.

    Args:
        on_unreadable: Called once, where no reply of the first runs could be read; raises where
            the compile is to end.
    """

    def __init__(self, on_unreadable: Callable[[str], Awaitable[None]] | None = None) -> None:
        self._on_unreadable = on_unreadable
        self._kinds: Counter[FailureKind] = Counter()
        self._first: dict[FailureKind, str] = {}
        self._lock = threading.Lock()
        self.runs = 0
        self._succeeded = 0
        self._settled = False

    @property
    def counts(self) -> tuple[FailureCount, ...]:
        """Every kind of failure so far, the most frequent first."""
        return tuple(
            FailureCount(kind, count, self._first[kind])
            for kind, count in self._kinds.most_common()
        )

    def describe(self) -> str:
        """Return the failures so far in one sentence; empty where there is none."""
        if not self._kinds:
            return ""
        listed = "; ".join(map(str, self.counts))
        return f"{self._kinds.total()} of {self.runs} runs failed: {listed}"

    async def add(self, rows: Sequence[Row]) -> None:
        """Count the failures of a whole round of runs.

        Raises:
            ProgramError: All runs so far failed for a reason that is not going to change.
            TransportError: None of them reached a model.
        """
        with self._lock:
            for row in rows:
                self.runs += 1
                self._succeeded += row.prediction is not None
                if row.failure is not None:
                    self._kinds[row.failure.kind] += 1
                    self._first.setdefault(row.failure.kind, row.failure.message)
        if not self._settled and self._kinds.total() >= MIN_FAILED:
            await self._judge()

    async def _judge(self) -> None:
        kind, count = self._kinds.most_common(1)[0]
        every = self._succeeded == 0
        nearly = self.runs >= BLOCK and count >= NEARLY_ALL * self.runs
        self._settled = self._succeeded > 0 and not nearly
        if not every and not (nearly and kind == "error"):
            return
        said = (
            f"{'all' if every else count} of the first {self.runs} runs of the program failed"
            f"{'' if every else ' in the same way'}: {self._first[kind]}"
        )
        if kind in ("parse", "truncated"):
            self._settled = True
            if self._on_unreadable is not None:
                await self._on_unreadable(said)
        elif kind == "transport":
            raise TransportError(f"{said}; nothing can be said about the program")
        elif kind not in ("budget", "judge", "metric"):
            raise ProgramError(f"{said}; mend the program or its data first")


@dataclass(frozen=True)
class Scoring:
    """A metric, and what is known of it.

    Args:
        metric: What scores a prediction.
        errors: How many of its errors are tolerated, and how examples are called.
        failures: Counts what failed.
    """

    metric: Metric
    errors: MetricErrors = field(default_factory=MetricErrors)
    failures: FailureLog = field(default_factory=FailureLog)

    @property
    def range(self) -> Range:
        """The metric's worst and best score."""
        return range_of(self.metric)

    def is_full(self, value: float) -> bool:
        """Return whether a score is the best there is."""
        return value >= self.range[1]


def as_scoring(metric: Metric | Scoring) -> Scoring:
    """Return a metric as a Scoring that tolerates no error of it."""
    return metric if isinstance(metric, Scoring) else Scoring(metric)
