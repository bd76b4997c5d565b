"""The contract of metrics, and the score of one prediction."""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, SupportsFloat

from typing_extensions import TypeVar

from langprog.errors import MetricError
from langprog.example import Example
from langprog.hints import with_hinted_fields
from langprog.modules import Module, Prediction


@with_hinted_fields(
    {
        **dict.fromkeys(("comment", "explanation", "message", "reason", "why"), "write feedback="),
        "score": "write value=",
    }
)
@dataclass(frozen=True, slots=True)
class Score:
    """A value (higher is better, usually between 0 and 1) and feedback.

    Args:
        value: The value; a bool counts as 0 or 1.
        feedback: What was wrong with the prediction, in words; reflective optimizers read it.

    Raises:
        MetricError: The value is not a finite number, or the feedback is not text.
    """

    value: float
    feedback: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "value", _finite(self.value))
        if self.feedback is not None and not isinstance(self.feedback, str):
            raise MetricError(
                f"the feedback of a score must be text, not {type(self.feedback).__name__}"
            )


# Metric[Triage] scores what a program of this signature class returns, Metric any program's.
_Answer = TypeVar("_Answer", default=Any)
Metric = Callable[[Example, _Answer], bool | float | Score | Awaitable[bool | float | Score]]


def as_score(result: Any) -> Score:
    """Return a metric's result as a Score.

    Args:
        result: A number, a bool or a Score; or a score with feedback: a pair, a dict or an object
            with ``score`` and ``feedback``, as metrics for other libraries return.

    Raises:
        MetricError: It is none of them.
    """
    if isinstance(result, Score):
        return result
    if isinstance(result, (float, int)):
        return Score(_finite(result))
    pair = _with_words(result)
    return Score(_finite(result)) if pair is None else Score(_finite(pair[0]), _words(pair[1]))


def _with_words(result: Any) -> tuple[Any, Any] | None:
    """Return a score and its feedback from a result that has both, or ``None``."""
    if isinstance(result, (tuple, list)):
        if len(result) == 2 and (result[1] is None or isinstance(result[1], str)):
            return result[0], result[1]
        raise MetricError(
            f"a metric returned a {type(result).__name__} of {len(result)}: return a number, or "
            "lp.Score(value, feedback=...) for a score with words"
        )
    if isinstance(result, Mapping):
        names = [name for name in ("score", "value") if name in result]
        if not names or not result.keys() <= {"score", "value", "feedback"} or len(names) > 1:
            raise MetricError(
                f"a metric returned a {type(result).__name__} with {', '.join(map(str, result))}: "
                "return lp.Score(value, feedback=...), or a dict with score and feedback"
            )
        return result[names[0]], result.get("feedback")
    score = getattr(result, "score", None)
    return None if score is None else (score, getattr(result, "feedback", None))


def _words(feedback: Any) -> Any:
    # Empty feedback is the same as none.
    return feedback or None


def _finite(value: Any) -> float:
    # Numbers of numpy and torch, Decimal and Fraction convert to float; text does not.
    try:
        # Check for plain numbers first: checking a protocol takes ten times as long.
        known = isinstance(value, (float, int)) or isinstance(value, SupportsFloat)
        number = float(value) if known else None
    except OverflowError:
        raise MetricError(
            "a score must be a finite number; this one is too large for a float"
        ) from None
    except (TypeError, ValueError):  # such as an array of several numbers
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
    """Return the display name of a metric, which is the same in every process."""
    if isinstance(metric, functools.partial):
        return metric_name(metric.func)
    name = getattr(metric, "__qualname__", None) or type(metric).__qualname__
    return str(name).replace("<locals>.", "")


def check_metric(metric: Any) -> None:
    """Check that a metric can be called with an example and a prediction.

    Raises:
        MetricError: It cannot; the message says how to write a metric.
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
    if needed_arguments(metric) > 2:
        return
    try:
        inspect.signature(metric).bind(None, None)
    except ValueError:
        return  # a built-in without a signature is taken at its word
    except TypeError as error:
        raise MetricError(
            f"the metric {name} cannot be called as metric(example, prediction): {error}; what "
            "happened on the way is in prediction.trace"
        ) from None


def needed_arguments(metric: Any) -> int:
    """Return how many arguments a metric needs: 2, or as many as DSPy's metrics.

    DSPy calls a metric with a trace as its third argument, and a metric for its optimizer GEPA
    with the predictor's name and trace as well. If these have no default, ``None`` is passed, as
    DSPy does in an evaluation.

    Returns:
        2, 3 or 5; also 2 if none of these fits.
    """
    try:
        signature = inspect.signature(metric)
    except (TypeError, ValueError):  # a built-in without a signature is taken at its word
        return 2
    for count in (2, 3, 5):
        try:
            signature.bind(*[None] * count)
        except TypeError:
            continue
        return count
    return 2


def with_two_arguments(metric: Metric) -> Metric:
    """Return a metric that takes only an example and a prediction."""
    count = needed_arguments(metric)
    if count == 2:
        return metric
    rest: Any = (None,) * (count - 2)
    whole: Any = metric
    if inspect.iscoroutinefunction(metric):

        @functools.wraps(metric)
        async def call_async(example: Example, prediction: Prediction) -> Any:
            return await whole(example, prediction, *rest)

        return call_async

    @functools.wraps(metric)
    def call(example: Example, prediction: Prediction) -> Any:
        return whole(example, prediction, *rest)

    return call


def takes_predictor(metric: Any) -> bool:
    """Return whether a metric can be told which predictor is asked about, as DSPy's GEPA does."""
    try:
        parameters = inspect.signature(metric).parameters.values()
    except (TypeError, ValueError):  # a built-in without a signature
        return False
    by_place = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return sum(each.kind in by_place for each in parameters) == 5


def for_predictor(metric: Metric, path: str, calls: Sequence[tuple[str, Any]]) -> Metric:
    """Return a metric of two arguments that is told which predictor is asked about.

    Args:
        metric: One for which :func:`takes_predictor` holds. Its third argument gets all calls of
            the run, its fourth ``path``, and its fifth the calls of this predictor.
        path: The predictor.
        calls: The path of each call of the run, and the call as DSPy has it: the predictor, the
            inputs and the outputs.
    """
    whole: Any = metric
    every = [call for _, call in calls]
    own = [call for at, call in calls if at == path]
    if inspect.iscoroutinefunction(metric):

        @functools.wraps(metric)
        async def call_async(example: Example, prediction: Prediction) -> Any:
            return await whole(example, prediction, every, path, own)

        return call_async

    @functools.wraps(metric)
    def call(example: Example, prediction: Prediction) -> Any:
        return whole(example, prediction, every, path, own)

    return call
