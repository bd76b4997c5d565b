"""Ready metrics; each one compares a field of the prediction with the same field of the example.

They are made, then used: ``exact("team")`` is a metric. Without a name they take the fields that
example and prediction share as outputs.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable
from typing import Any

from langprog.errors import InputError, MetricError
from langprog.evaluation.score import Metric, Score, as_score, metric_name
from langprog.example import Example
from langprog.modules import Module, Prediction

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = re.compile(r"[^\w\s]")
_NUMBER = re.compile(r"[-+]?\d[\d,]*\.?\d*(?:[eE][-+]?\d+)?")

Compare = Callable[[Any, Any], Score]


class FieldMetric:
    """Compares fields by name and takes the mean over them.

    Args:
        name: The metric's name, for reports.
        field: The field, or ``None`` for all that example and prediction share.
        compare: Scores one pair: (wanted, given).
    """

    def __init__(self, name: str, field: str | None, compare: Compare) -> None:
        self.__qualname__ = f"{name}({field!r})" if field else name
        self._field = field
        self._compare = compare

    def __call__(self, example: Example, prediction: Prediction) -> Score:
        """Score ``prediction``.

        Raises:
            MetricError: The example or the prediction lacks the field.
        """
        if self._field is None:
            fields = [name for name in prediction if name in example]
            if not fields:
                raise MetricError(
                    f"{self.__qualname__}: example and prediction share no field "
                    f"({', '.join(example)} against {', '.join(prediction)})"
                )
        else:
            fields = [self._field]
            for what, values in (("example", example), ("prediction", prediction)):
                if self._field not in values:
                    raise MetricError(f"{self.__qualname__}: the {what} has no {self._field!r}")
        scores = [(name, self._compare(example[name], prediction[name])) for name in fields]
        value = sum(score.value for _, score in scores) / len(scores)
        words = [f"{name}: {score.feedback}" for name, score in scores if score.feedback]
        return Score(value, "; ".join(words) or None)


def normalized(value: Any) -> str:
    """Return text without case, punctuation, articles and extra blanks."""
    text = _PUNCTUATION.sub(" ", str(value).casefold())
    return " ".join(_ARTICLES.sub(" ", text).split())


def exact(field: str | None = None) -> FieldMetric:
    """Return a metric: 1 where the values are equal; text without case and outer blanks."""

    def compare(wanted: Any, given: Any) -> Score:
        if isinstance(wanted, str) and isinstance(given, str):
            same = wanted.strip().casefold() == given.strip().casefold()
        else:
            same = bool(wanted == given) or str(wanted) == str(getattr(given, "value", given))
        return Score(float(same), None if same else f"answered {given!r}, wanted {wanted!r}")

    return FieldMetric("exact", field, compare)


def contains(field: str | None = None) -> FieldMetric:
    """Return a metric: 1 where the wanted text is in the given one, normalized."""

    def compare(wanted: Any, given: Any) -> Score:
        inside = normalized(wanted) in normalized(given)
        return Score(float(inside), None if inside else f"{given!r} does not contain {wanted!r}")

    return FieldMetric("contains", field, compare)


def numeric(field: str | None = None, *, tolerance: float = 1e-6) -> FieldMetric:
    """Return a metric: 1 where the last number in the given value is the wanted one.

    Args:
        field: The field.
        tolerance: Largest difference, relative to the wanted number (absolute near zero).
    """

    def compare(wanted: Any, given: Any) -> Score:
        target, found = _number(wanted), _number(given)
        if target is None:
            raise MetricError(f"numeric: the wanted value {wanted!r} holds no number")
        same = found is not None and math.isclose(
            found, target, rel_tol=tolerance, abs_tol=tolerance
        )
        return Score(float(same), None if same else f"answered {given!r}, wanted {wanted!r}")

    return FieldMetric("numeric", field, compare)


def _number(value: Any) -> float | None:
    if isinstance(value, (int, float)):
        return float(value)
    found = _NUMBER.findall(str(value))
    return float(found[-1].replace(",", "")) if found else None


def f1(field: str | None = None) -> FieldMetric:
    """Return a metric: token F1 of the normalized texts, as in SQuAD."""

    def compare(wanted: Any, given: Any) -> Score:
        target, found = normalized(wanted).split(), normalized(given).split()
        common = sum((Counter(target) & Counter(found)).values())
        if not target or not found:
            value = float(target == found)
        elif not common:
            value = 0.0
        else:
            precision, recall = common / len(found), common / len(target)
            value = 2 * precision * recall / (precision + recall)
        return Score(value, None if value == 1.0 else f"answered {given!r}, wanted {wanted!r}")

    return FieldMetric("f1", field, compare)


def all_of(*metrics: Callable[[Example, Prediction], Any]) -> Metric:
    """Return a metric: the lowest of several synchronous ones, with all their feedback.

    Raises:
        InputError: No metric is given.
    """
    if not metrics:
        raise InputError("all_of needs at least one metric")

    def metric(example: Example, prediction: Prediction) -> Score:
        scores = [as_score(one(example, prediction)) for one in metrics]
        words = [score.feedback for score in scores if score.feedback]
        return Score(min(score.value for score in scores), "; ".join(words) or None)

    metric.__qualname__ = f"all_of({', '.join(metric_name(one) for one in metrics)})"
    return metric


def judged(judge: Module) -> Metric:
    """Return a metric that asks a language program.

    Args:
        judge: A program; its inputs are filled by name from the prediction, then the example
            (an input ``wanted_NAME`` takes the example's NAME). It must have an output ``score``
            (a number or true/false), and may have ``feedback``.

    Raises:
        InputError: The judge has no output ``score``.
    """
    if "score" not in judge.outputs:
        raise InputError("a judge needs an output named 'score', a number or true/false")

    async def metric(example: Example, prediction: Prediction) -> Score:
        inputs = {}
        for name in judge.inputs:
            if name.startswith("wanted_") and name[len("wanted_") :] in example:
                inputs[name] = example[name[len("wanted_") :]]
            elif name in prediction:
                inputs[name] = prediction[name]
            elif name in example:
                inputs[name] = example[name]
            else:
                raise MetricError(
                    f"the judge's input {name!r} is in neither prediction nor example"
                )
        verdict = await judge.acall(**inputs)
        feedback = verdict.get("feedback")
        return Score(float(verdict.score), None if feedback is None else str(feedback))

    metric.__qualname__ = f"judged({judge!r})"
    return metric
