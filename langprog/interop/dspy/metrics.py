"""Metrics written for DSPy, which take its examples and predictions, and may call its modules."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import dspy

from langprog.example import Example
from langprog.modules import Prediction

# The name of what a program returned, where that was no prediction with names.
RETURNED = "returned"
# What only our examples and predictions have.
_OURS = frozenset({"digest", "to_dict", "trace", "usage", "with_", "without"})


class BothExample(dspy.Example):
    """An example of DSPy that has the attributes of ours as well."""

    def __getattr__(self, name: str) -> Any:
        if name in _OURS and name not in self._store:
            return getattr(self._ours, name)
        return super().__getattr__(name)


class BothPrediction(dspy.Prediction):
    """A prediction of DSPy that has the attributes of ours as well."""

    def __getattr__(self, name: str) -> Any:
        if name in _OURS and name not in self._store:
            return getattr(self._ours, name)
        return super().__getattr__(name)


def takes_ours(metric: Any) -> bool:
    """Return whether a metric is one of ours, which knows no examples of DSPy."""
    owner = getattr(metric, "__module__", None) or type(metric).__module__
    return str(owner).partition(".")[0] == "langprog"


def with_dspy_values(
    metric: Callable[[Any, Any], Any],
    inputs: tuple[str, ...],
    around: Callable[[], AbstractContextManager[None]],
) -> Callable[[Example, Prediction], Any]:
    """Return a metric that hands over DSPy's examples and predictions.

    Args:
        metric: The metric, of an example and a prediction.
        inputs: Which fields of an example are inputs.
        around: Makes modules of DSPy that the metric calls use our models.
    """

    def convert(example: Example, prediction: Prediction) -> tuple[Any, Any]:
        theirs = BothExample(example.to_dict()).with_inputs(*inputs)
        theirs._ours = example
        values = prediction.to_dict()
        if values.keys() == {RETURNED}:
            return theirs, values[RETURNED]
        said = BothPrediction(**values)
        said._ours = prediction
        return theirs, said

    if inspect.iscoroutinefunction(metric):

        @functools.wraps(metric)
        async def call_async(example: Example, prediction: Prediction) -> Any:
            with around():
                return await metric(*convert(example, prediction))

        return call_async

    @functools.wraps(metric)
    def call(example: Example, prediction: Prediction) -> Any:
        with around():
            return metric(*convert(example, prediction))

    return call
