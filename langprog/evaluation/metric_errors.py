"""Handles errors of a metric: the row has no score, or the run stops."""

from __future__ import annotations

import threading
from collections.abc import Callable

from langprog.errors import MetricError
from langprog.evaluation.failures import Failure
from langprog.example import Example
from langprog.knobs import check_argument, takes_whole
from langprog.lm import redact

NameRow = Callable[[int, Example], str]


def name_example(index: int, example: Example) -> str:
    """Return the name of an example in messages: its number, from 1, and its first value."""
    for name, value in example.items():
        shown = str(value)
        shown = shown if len(shown) <= 40 else shown[:37] + "..."
        return redact(f"example {index + 1} ({name}={shown!r})")
    return f"example {index + 1}"


class MetricErrors:
    """The examples on which a metric raised; several evaluations may share it.

    Args:
        limit: On how many different examples the metric may raise before the run stops. Such a row
            has no score.
        name_row: Returns the name of an example in messages, given its index and the example.

    Raises:
        InputError: The limit is not a whole number from 0.
    """

    def __init__(self, limit: int = 0, name_row: NameRow = name_example) -> None:
        check_argument("evaluate", "max_errors", limit, takes_whole(0))
        self.limit = limit
        self.name_row = name_row
        self._failed: set[str] = set()
        self._lock = threading.Lock()

    def add(self, index: int, example: Example, error: Exception) -> Failure:
        """Return the failure of a row whose metric raised.

        Raises:
            MetricError: The metric raised on too many examples, or returned something that is not
                a score, as it would on other examples, too.
        """
        returned = isinstance(error, MetricError)
        what = str(error) if returned else f"{type(error).__name__}: {error}"
        message = redact(f"the metric failed on {self.name_row(index, example)}: {what}")
        if returned:
            raise MetricError(message) from error
        self.count(example, message, error)
        return Failure("metric", message)

    def count(self, example: Example, message: str, error: Exception | None = None) -> None:
        """Count a row whose metric raised.

        Args:
            example: The example.
            message: What happened.
            error: What was raised, if that was here.

        Raises:
            MetricError: The metric raised on too many examples.
        """
        with self._lock:
            self._failed.add(example.digest)
            count = len(self._failed)
        if count > self.limit:
            more = f" (it failed on {count} examples; max_errors={self.limit})"
            raise MetricError(message + (more if self.limit else "")) from error
