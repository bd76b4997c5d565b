"""What a metric says about one prediction."""

from __future__ import annotations

import inspect
import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from langprog.errors import MetricError
from langprog.example import Example
from langprog.modules import Prediction


@dataclass(frozen=True, slots=True)
class Score:
    """A value, higher is better and usually between 0 and 1, and words on what was wrong.

    Raises:
        MetricError: The value is no finite number.
    """

    value: float
    feedback: str | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.value, (int, float)) or not math.isfinite(self.value):
            raise MetricError(f"a score must be a finite number, not {self.value!r}")
        object.__setattr__(self, "value", float(self.value))


Metric = Callable[[Example, Prediction], bool | float | Score | Awaitable[bool | float | Score]]


def as_score(result: Any) -> Score:
    """Return what a metric gave as a Score.

    Raises:
        MetricError: It is neither a number, a bool nor a Score.
    """
    if isinstance(result, Score):
        return result
    if isinstance(result, (bool, int, float)):
        return Score(float(result))
    raise MetricError(
        f"a metric must return a number, True/False or lp.Score, not {type(result).__name__}"
    )


def metric_name(metric: Any) -> str:
    """Return the name by which people know a metric."""
    name = getattr(metric, "__qualname__", None) or type(metric).__qualname__
    return str(name).replace("<locals>.", "")


def check_metric(metric: Any) -> None:
    """Check that a metric can be called with an example and a prediction.

    Raises:
        MetricError: It cannot.
    """
    name = metric_name(metric)
    if not callable(metric):
        raise MetricError(
            f"the metric {name} is not callable: write def metric(example, prediction)"
        )
    try:
        inspect.signature(metric).bind(None, None)
    except TypeError as error:
        raise MetricError(
            f"the metric {name} cannot be called as metric(example, prediction): {error}"
        ) from None
    except ValueError:
        return  # a built-in without a signature is taken at its word
