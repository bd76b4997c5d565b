"""What a metric is, and what it says about one prediction."""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, SupportsFloat

from langprog.errors import MetricError
from langprog.example import Example
from langprog.modules import Module, Prediction


@dataclass(frozen=True, slots=True)
class Score:
    """A value, higher is better and usually between 0 and 1, and words on what was wrong.

    Args:
        value: The value; a bool counts as 0 or 1.
        feedback: What a person would say about the prediction; read by optimizers that reflect.

    Raises:
        MetricError: The value is no finite number, or the feedback no text.
    """

    value: float
    feedback: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "value", _finite(self.value))
        if self.feedback is not None and not isinstance(self.feedback, str):
            raise MetricError(
                f"the feedback of a score must be text, not {type(self.feedback).__name__}"
            )


Metric = Callable[[Example, Prediction], bool | float | Score | Awaitable[bool | float | Score]]


def as_score(result: Any) -> Score:
    """Return what a metric gave as a Score.

    Raises:
        MetricError: It is neither a number, a bool nor a Score.
    """
    return result if isinstance(result, Score) else Score(_finite(result))


def _finite(value: Any) -> float:
    # Numbers of numpy and torch, Decimal and Fraction know how to be a float; text does not.
    try:
        # Whether it is a plain number is asked first: asking a protocol takes ten times as long.
        known = isinstance(value, (float, int)) or isinstance(value, SupportsFloat)
        number = float(value) if known else None
    except (TypeError, ValueError, OverflowError):  # an array of several numbers, say
        number = None
    if number is None:
        hint = " (does every branch of it return?)" if value is None else ""
        raise MetricError(
            "a metric must return a number, True/False or lp.Score, "
            f"not {type(value).__name__}{hint}"
        )
    if not math.isfinite(number):
        raise MetricError(f"a score must be a finite number, not {number!r}")
    return number


def metric_name(metric: Any) -> str:
    """Return the name by which people know a metric; the same in every process."""
    if isinstance(metric, functools.partial):
        return metric_name(metric.func)
    name = getattr(metric, "__qualname__", None) or type(metric).__qualname__
    return str(name).replace("<locals>.", "")


def check_metric(metric: Any) -> None:
    """Check that a metric can be called with an example and a prediction.

    Raises:
        MetricError: It cannot; says how a metric is written.
    """
    if isinstance(metric, Module):
        raise MetricError(
            f"the metric is a program ({type(metric).__name__}): write judged(program), which "
            "fills its inputs and reads its output 'score'"
        )
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
