"""The result of an evaluation: a row for every example, and a summary."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any, ClassVar

from pydantic_core import PydanticSerializationError, to_json

from langprog.evaluation.clusters import InputKeys
from langprog.evaluation.failures import Failure
from langprog.evaluation.ranges import Range
from langprog.evaluation.score import Score
from langprog.evaluation.statistics import mean, mean_interval, quantile
from langprog.example import Example
from langprog.hints import Hinted, Words
from langprog.lm import redact
from langprog.modules import Prediction, RunUsage, TraceStep
from langprog.notebook import list_short, render_card, short_repr, shorten

# Rows that a notebook shows: those with the lowest scores.
SHOWN = 8


@dataclass(frozen=True, slots=True)
class Row:
    """One example's result.

    Args:
        index: Place of the example in the data.
        example: The example.
        prediction: What the program returned, or ``None``.
        score: The metric's result; ``None`` if the row is missing data.
        failure: Why there is no prediction, or no score.
        usage: What the program used.
        trace: Every predictor's call, even if the run failed halfway.
        judging: What the metric used, if it calls a model.
        typed: The example with the types of the program's signature, where that is another one.
    """

    index: int
    example: Example
    prediction: Prediction | None
    score: Score | None
    failure: Failure | None
    usage: RunUsage
    trace: tuple[TraceStep, ...] = ()
    judging: RunUsage = RunUsage()
    typed: Example | None = None

    @property
    def outcome(self) -> tuple[Example, Prediction | None]:
        """What a metric of the whole data set reads of this row."""
        return self.example if self.typed is None else self.typed, self.prediction

    def __repr__(self) -> str:
        ended = (
            ("prediction", self.prediction) if self.failure is None else ("failure", self.failure)
        )
        score = None if self.score is None else self.score.value
        parts = [("index", self.index), ("example", self.example), ended, ("score", score)]
        return f"Row({list_short(parts)})"


@dataclass(frozen=True)
class Report(Hinted):
    """The result of an evaluation.

    Args:
        rows: One for each example, in the data's order.
        metric: The metric's name.
        advice: What to do about many unreadable replies; usually empty.
        score_rows: Scores all rows together, for a metric of the whole data set.
        keys: Tells which inputs are alike to the program: such rows are one observation. ``None``
            if that is unknown; then all fields count.
        score_range: The worst and the best score; ``None`` if unknown.
    """

    _elsewhere: ClassVar[Words] = MappingProxyType(
        {
            "results": "write .rows: each has .example, .prediction and .score",
            "score": "write .mean, which is not in percent, and .interval",
        }
    )

    rows: tuple[Row, ...]
    metric: str = ""
    advice: str = ""
    score_rows: Callable[[Sequence[tuple[Example, Prediction | None]]], float] | None = field(
        default=None, repr=False, compare=False
    )
    keys: InputKeys | None = field(default=None, repr=False, compare=False)
    score_range: Range | None = field(default=None, repr=False, compare=False)

    @cached_property
    def clusters(self) -> tuple[str, ...]:
        """The cluster of each row: rows with inputs that are almost alike share one."""
        return tuple(self._key(row.example) for row in self.rows)

    def _key(self, example: Example) -> str:
        return example.digest if self.keys is None else self.keys.of_similar(example)

    @cached_property
    def _scored_clusters(self) -> list[str]:
        both = zip(self.clusters, self.rows, strict=True)
        return [key for key, row in both if row.score is not None]

    @property
    def n_inputs(self) -> int:
        """Different inputs among the rows with a score."""
        return len(set(self._scored_clusters))

    @cached_property
    def values(self) -> tuple[float, ...]:
        """The scores of the rows that have one."""
        return tuple(row.score.value for row in self.rows if row.score is not None)

    @property
    def n_scored(self) -> int:
        """Rows with a score."""
        return len(self.values)

    @property
    def n_missing(self) -> int:
        """Rows without a score: missing data, never the fault of the program."""
        return len(self.rows) - len(self.values)

    @property
    def mean(self) -> float | None:
        """Mean score, or the score of the whole data set; ``None`` if no row has a score.

        Raises:
            MetricError: The metric of the whole data set failed.
        """
        if self.score_rows is not None:
            return self._set_score
        return mean(self.values) if self.values else None

    @cached_property
    def _set_score(self) -> float | None:
        assert self.score_rows is not None
        scored = [row.outcome for row in self.rows if row.score is not None]
        return self.score_rows(scored) if scored else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """95 % interval of the mean; rows with the same inputs count as one observation.

        ``None`` if no row has a score, and for a score of the whole data set: that is not a mean.
        """
        if self.score_rows is not None or not self.values:
            return None
        return mean_interval(
            self.values, score_range=self.score_range, clusters=self._scored_clusters
        )

    @property
    def failures_by_kind(self) -> dict[str, int]:
        """How many rows failed, by kind."""
        return dict(Counter(row.failure.kind for row in self.rows if row.failure is not None))

    @property
    def first_failures(self) -> dict[str, str]:
        """The message of the first failure of each kind."""
        first: dict[str, str] = {}
        for row in self.rows:
            if row.failure is not None:
                first.setdefault(row.failure.kind, row.failure.message)
        return first

    @property
    def calls(self) -> int:
        """Completions that the program used, including cached ones."""
        return sum(row.usage.calls for row in self.rows)

    @property
    def cached_calls(self) -> int:
        """Completions from the cache."""
        return sum(row.usage.cached_calls for row in self.rows)

    @property
    def reasks(self) -> int:
        """How often answers that failed a check were asked for again."""
        return sum(row.usage.reasks for row in self.rows)

    @property
    def repairs(self) -> int:
        """How often replies that could not be read were asked for again, at a call each."""
        return sum(row.usage.repairs for row in self.rows)

    @property
    def unmet(self) -> int:
        """Suggestions that answers failed to the end."""
        return sum(row.usage.unmet for row in self.rows)

    @property
    def tokens(self) -> int:
        """Tokens that the program sent and received, as if nothing were cached."""
        return sum(row.usage.total_tokens for row in self.rows)

    @property
    def dollars(self) -> float | None:
        """Price of the program as if nothing were cached; ``None`` if a price is unknown."""
        return _dollars(row.usage for row in self.rows)

    @property
    def judge_calls(self) -> int:
        """Completions that the metric used, as if nothing were cached."""
        return sum(row.judging.calls for row in self.rows)

    @property
    def judge_dollars(self) -> float | None:
        """Price of the metric as if nothing were cached; ``None`` if a price is unknown."""
        return _dollars(row.judging for row in self.rows)

    def latency(self, share: float) -> float | None:
        """Return a quantile of the seconds per row; ``None`` if no row succeeded.

        Args:
            share: 0.5 for the median, 0.95 for the 95th percentile.
        """
        seconds = [row.usage.latency for row in self.rows if row.prediction is not None]
        return quantile(seconds, share) if seconds else None

    def to_json(self) -> dict[str, Any]:
        """Return the report as plain JSON, without prompts, and without keys and passwords."""
        interval = self.interval
        # JSON has no infinity, which a single unbounded score gives as interval.
        known = interval is not None and all(map(math.isfinite, interval))
        return {
            "metric": self.metric,
            "mean": self.mean,
            "interval": list(interval) if interval is not None and known else None,
            "scored": self.n_scored,
            "inputs": self.n_inputs,
            "missing": self.n_missing,
            "failures": self.failures_by_kind,
            "first_failures": self.first_failures,
            "calls": self.calls,
            "cached_calls": self.cached_calls,
            "repairs": self.repairs,
            "reasks": self.reasks,
            "unmet": self.unmet,
            "tokens": self.tokens,
            "dollars": self.dollars,
            "judge": {"calls": self.judge_calls, "dollars": self.judge_dollars},
            "latency": {"p50": self.latency(0.5), "p95": self.latency(0.95)},
            "advice": self.advice,
            "rows": [_row(row) for row in self.rows],
        }

    def __str__(self) -> str:
        failures = ", ".join(f"{count} {kind}" for kind, count in self.failures_by_kind.items())
        if self.mean is None:
            return f"no row could be scored ({failures or 'there are none'}){self._advised}"
        parts = [f"{self.mean:.3f} for all of {self.n_scored} rows together"]
        if self.interval is not None:
            low, high = self.interval
            parts = [f"{self.mean:.3f} [{low:.3f}, {high:.3f}] on {self.n_scored} rows"]
        if self.n_inputs < self.n_scored:
            parts[0] += f" with {self.n_inputs} distinct inputs"
        if self.n_missing:
            parts.append(f"{self.n_missing} without a score")
        if failures:
            parts.append(f"failures: {failures}")
        parts += self._checked
        return ", ".join(parts) + self._advised

    def __repr__(self) -> str:
        failures = "".join(
            f"\n  first {kind}: {shorten(message, 200)}"
            for kind, message in self.first_failures.items()
        )
        name = f"{self.metric}: " if self.metric else ""
        return shorten(f"Report({name}{self}{failures})")

    def _repr_html_(self) -> str:
        counts, first = self.failures_by_kind, self.first_failures
        dollars = "unknown" if self.dollars is None else f"${self.dollars:.4f}"
        facts = [
            ("mean", str(self)),
            *((f"{count} {kind}", first[kind]) for kind, count in counts.items()),
            ("calls", f"{self.calls:,} ({self.cached_calls:,} cached), {dollars}"),
        ]
        # The sort is stable, so equal scores stay in order.
        lowest = sorted(self.rows, key=lambda row: -1.0 if row.score is None else row.score.value)
        return render_card(
            f"Evaluation by {self.metric}" if self.metric else "Evaluation",
            facts,
            heads=("row", "example", "prediction", "score"),
            rows=[_cells(row) for row in lowest[:SHOWN]],
            note=f"the {SHOWN} lowest of {len(self.rows)} rows" if len(self.rows) > SHOWN else "",
        )

    @property
    def _checked(self) -> list[str]:
        counts = {
            "asked again as a reply could not be read": self.repairs,
            "asked again after a check": self.reasks,
            "suggestions unmet": self.unmet,
        }
        return [f"{count:,} {what}" for what, count in counts.items() if count]

    @property
    def _advised(self) -> str:
        return f"; {self.advice}" if self.advice else ""


def _cells(row: Row) -> tuple[object, ...]:
    ended = row.prediction if row.failure is None else f"{row.failure.kind}: {row.failure.message}"
    score = "missing" if row.score is None else f"{row.score.value:.3g}"
    return row.index, short_repr(row.example), ended, score


def _dollars(usages: Iterable[RunUsage]) -> float | None:
    total = 0.0
    for usage in usages:
        if usage.dollars is None:
            return None
        total += usage.dollars
    return total


def _row(row: Row) -> dict[str, Any]:
    score, prediction = row.score, row.prediction
    return {
        "index": row.index,
        "prediction": None if prediction is None else _plain(prediction.to_dict()),
        "score": None if score is None else score.value,
        "feedback": None if score is None or score.feedback is None else redact(score.feedback),
        "failure": None if row.failure is None else asdict(row.failure),
    }


def _plain(value: Any) -> Any:
    # A user's own module may return anything; what is not a number is null.
    try:
        return json.loads(to_json(value, inf_nan_mode="null", fallback=str))
    except (PydanticSerializationError, ValueError):
        return str(value)
