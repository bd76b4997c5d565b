"""What an evaluation found: a row for every example, and what the rows say together."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from langprog.evaluation.score import Score
from langprog.evaluation.statistics import mean, mean_interval, quantile
from langprog.example import Example
from langprog.modules import Prediction, RunUsage, TraceStep

FailureKind = Literal["transport", "budget", "parse", "check", "refused", "error"]


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an example has no prediction.

    ``transport`` and ``budget`` are nobody's wrong answer: such a row has no score. The others
    are the program's own, and score 0.

    Args:
        kind: ``transport``, ``budget``, ``parse``, ``check``, ``refused`` (context window or
            content filter) or ``error`` (the program's own code raised).
        message: What happened.
        path: The predictor where it happened; empty where that is not known.
    """

    kind: FailureKind
    message: str
    path: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One example's result.

    Args:
        index: Place of the example in the data.
        example: The example.
        prediction: What the program returned, or ``None``.
        score: What the metric said; ``None`` where the row is missing data.
        failure: Why there is no prediction.
        usage: What the run took.
        trace: Every predictor's call, also of a run that failed halfway.
    """

    index: int
    example: Example
    prediction: Prediction | None
    score: Score | None
    failure: Failure | None
    usage: RunUsage
    trace: tuple[TraceStep, ...] = ()


@dataclass(frozen=True)
class Report:
    """What an evaluation found.

    Args:
        rows: One for each example, in the data's order.
        metric: The metric's name.
    """

    rows: tuple[Row, ...]
    metric: str = ""

    @cached_property
    def values(self) -> tuple[float, ...]:
        """Scores of the rows that have one."""
        return tuple(row.score.value for row in self.rows if row.score is not None)

    @property
    def n_scored(self) -> int:
        """Rows with a score."""
        return len(self.values)

    @property
    def n_missing(self) -> int:
        """Rows without a score: lost on the way, never the program's fault."""
        return len(self.rows) - len(self.values)

    @property
    def mean(self) -> float | None:
        """Mean score; ``None`` where no row has one."""
        return mean(self.values) if self.values else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """95 % interval of the mean; ``None`` where no row has a score."""
        return mean_interval(self.values) if self.values else None

    @property
    def failures_by_kind(self) -> dict[str, int]:
        """How many rows failed, by kind."""
        return dict(Counter(row.failure.kind for row in self.rows if row.failure is not None))

    @property
    def calls(self) -> int:
        """Completions used, as if nothing were cached."""
        return sum(row.usage.calls for row in self.rows)

    @property
    def cached_calls(self) -> int:
        """Completions that were paid for earlier."""
        return sum(row.usage.cached_calls for row in self.rows)

    @property
    def tokens(self) -> int:
        """Tokens sent and received, as if nothing were cached."""
        return sum(row.usage.total_tokens for row in self.rows)

    @property
    def dollars(self) -> float | None:
        """Price as if nothing were cached; ``None`` where a price is not known."""
        total = 0.0
        for row in self.rows:
            if row.usage.dollars is None:
                return None
            total += row.usage.dollars
        return total

    def latency(self, share: float) -> float | None:
        """Return a quantile of the seconds that a row took; ``None`` where no row succeeded.

        Args:
            share: 0.5 for the median, 0.95 for the 95th percentile.
        """
        seconds = [row.usage.latency for row in self.rows if row.prediction is not None]
        return quantile(seconds, share) if seconds else None

    def to_json(self) -> dict[str, Any]:
        """Return the report as plain JSON; prompts and keys are not in it."""
        low, high = self.interval or (None, None)
        return {
            "metric": self.metric,
            "mean": self.mean,
            "interval": None if low is None else [low, high],
            "scored": self.n_scored,
            "missing": self.n_missing,
            "failures": self.failures_by_kind,
            "calls": self.calls,
            "cached_calls": self.cached_calls,
            "tokens": self.tokens,
            "dollars": self.dollars,
            "latency": {"p50": self.latency(0.5), "p95": self.latency(0.95)},
            "rows": [_row(row) for row in self.rows],
        }

    def __str__(self) -> str:
        if self.interval is None or self.mean is None:
            return f"no row could be scored ({self._failures() or 'there are none'})"
        low, high = self.interval
        parts = [f"{self.mean:.3f} [{low:.3f}, {high:.3f}] on {self.n_scored} rows"]
        if self.failures_by_kind:
            parts.append(self._failures())
        return ", ".join(parts)

    def _failures(self) -> str:
        return ", ".join(f"{count} {kind}" for kind, count in self.failures_by_kind.items())


def _row(row: Row) -> dict[str, Any]:
    return {
        "index": row.index,
        "prediction": None if row.prediction is None else _plain(row.prediction.to_dict()),
        "score": None if row.score is None else row.score.value,
        "feedback": None if row.score is None else row.score.feedback,
        "failure": None
        if row.failure is None
        else {
            "kind": row.failure.kind,
            "message": row.failure.message,
            "path": row.failure.path,
        },
    }


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    return str(value)
