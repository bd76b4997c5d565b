"""How the runs of a compile are scored, and which of them failed."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from langprog.engines import Engine, LocalEngine
from langprog.errors import LangprogError, TransportError
from langprog.evaluation import FailureKind, Metric, MetricErrors, Range, Row, range_of

# After this many failed runs and no success, the compile stops.
MIN_FAILED = 5
# It also stops if nearly all of this many first runs fail in the same way.
BLOCK, NEARLY_ALL = 20, 0.95


class ProgramError(LangprogError):
    """Every run of the program failed, for a reason that a search cannot fix."""


@dataclass(frozen=True, slots=True)
class FailureCount:
    """How many runs failed in one way.

    Args:
        kind: The kind of failure.
        count: How many.
        first: The message of the first.
    """

    kind: FailureKind
    count: int
    first: str

    def __str__(self) -> str:
        return f"{self.count} {self.kind} ({self.first})"


class FailureLog:
    """Counts the failures of a compile's runs, and stops a compile that cannot succeed.

    Args:
        on_unreadable: Called once, with what went wrong and its kind, if no reply of the first
            runs could be parsed or passed its checks; raises to end the compile.
    """

    def __init__(
        self, on_unreadable: Callable[[str, FailureKind], Awaitable[None]] | None = None
    ) -> None:
        self._on_unreadable = on_unreadable
        self._kinds: Counter[FailureKind] = Counter()
        self._first: dict[FailureKind, str] = {}
        self._lock = threading.Lock()
        self.runs = 0
        self._succeeded = 0
        self._settled = False

    @property
    def counts(self) -> tuple[FailureCount, ...]:
        """All kinds of failure so far, the most frequent first."""
        return tuple(
            FailureCount(kind, count, self._first[kind])
            for kind, count in self._kinds.most_common()
        )

    def describe(self) -> str:
        """Return the failures so far in one sentence; empty if there are none."""
        if not self._kinds:
            return ""
        listed = "; ".join(map(str, self.counts))
        return f"{self._kinds.total()} of {self.runs} runs failed: {listed}"

    async def add(self, rows: Sequence[Row]) -> None:
        """Count the failures of a complete round of runs.

        Raises:
            ProgramError: All runs so far failed for a permanent reason.
            TransportError: No run reached a model.
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
        problem = (
            f"{'all' if every else count} of the first {self.runs} runs of the program failed"
            f"{'' if every else ' in the same way'}: {self._first[kind]}"
        )
        if kind in ("parse", "truncated", "check"):
            self._settled = True
            if self._on_unreadable is not None:
                await self._on_unreadable(problem, kind)
        elif kind == "transport":
            raise TransportError(f"{problem}; the program could not be tested")
        elif kind not in ("budget", "judge", "metric"):
            raise ProgramError(f"{problem}; fix the program or its data first")


@dataclass(frozen=True)
class Scoring:
    """A metric with its tolerated errors and the failures so far.

    Args:
        metric: Scores a prediction.
        errors: How many of its errors are tolerated, and how messages name examples.
        failures: Counts failed runs.
        engine: Where programs and metric run.
    """

    metric: Metric
    errors: MetricErrors = field(default_factory=MetricErrors)
    failures: FailureLog = field(default_factory=FailureLog)
    engine: Engine = field(default_factory=LocalEngine)

    @property
    def range(self) -> Range:
        """The lowest and the highest score that the metric can give."""
        return range_of(self.metric)

    def is_full(self, value: float) -> bool:
        """Return whether a score is the best possible."""
        return value >= self.range[1]


def as_scoring(metric: Metric | Scoring) -> Scoring:
    """Return a metric as a Scoring that tolerates no errors."""
    return metric if isinstance(metric, Scoring) else Scoring(metric)
