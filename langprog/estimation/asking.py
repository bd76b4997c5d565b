"""Asks an oracle or a proxy about rows: a function or a program. What fails has no value."""

from __future__ import annotations

import inspect
import os
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from langprog.artifact import Artifact, load
from langprog.errors import InputError
from langprog.evaluation import Range, aevaluate, judged, range_of
from langprog.example import Example
from langprog.lm import Ledger
from langprog.modules import Module, Prediction

# A function of a row, sync or async; a program with an output "score" or "verdict"; or the path
# of an artifact that holds such a program.
Asked = Callable[[Example], float | Awaitable[float]] | Module | Artifact | str | os.PathLike[str]
# Proxies may be on any scale.
ANY: Range = (-1e300, 1e300)


class _Nothing(Module):
    """A program that returns nothing: what is asked about a row is a metric of it."""

    async def aforward(self) -> Prediction:
        return Prediction.of({}, 0.0, ())


@dataclass(frozen=True)
class Answers:
    """What was answered about rows.

    Args:
        values: The values, ``None`` where there is none.
        unasked: Whether each row was not asked about, as the budget was spent.
        failure: Why the first of those that were asked has none.
    """

    values: tuple[float | None, ...]
    unasked: tuple[bool, ...]
    failure: str


class Asking:
    """Asks about rows.

    Args:
        asked: Who is asked.
        name: The argument, for errors.
        bounds: The range of the answers; by default what a function declares with ``lp.metric``,
            else 0 to 1.
        ledger: Counts what is spent.
        concurrency: Rows at the same time.
        max_errors: On how many rows a function may raise.

    Raises:
        InputError: Nobody can be asked.
    """

    def __init__(
        self,
        asked: Asked,
        name: str,
        *,
        bounds: Range | None,
        ledger: Ledger,
        concurrency: int,
        max_errors: int,
    ) -> None:
        source = asked.program() if isinstance(asked, Artifact) else asked
        if isinstance(source, (str, os.PathLike)):
            source = load(source)
        self.is_program = isinstance(source, Module)
        self.calls = source.calls_per_example() if isinstance(source, Module) else 1
        if not self.is_program and not callable(source):
            raise InputError(
                f"the {name} is a {type(source).__name__}: give a function of a row, or a program "
                "(or the path of an artifact) with an output 'score' or 'verdict'"
            )
        self.bounds = range_of(source) if bounds is None else bounds
        self._metric = (
            judged(source, range=self.bounds)
            if isinstance(source, Module)
            else _as_metric(source, self.bounds)
        )
        self._ledger, self._concurrency, self._max_errors = ledger, concurrency, max_errors

    async def ask(self, rows: Sequence[Example]) -> Answers:
        """Return what is answered about rows.

        Raises:
            MetricError: A function raised on too many rows, or returned something else than a
                number in its range; names the row.
            AuthError: The endpoint does not accept the key, and other errors of all rows alike.
        """
        if not rows:
            return Answers((), (), "")
        report = await aevaluate(
            _Nothing(),
            rows,
            self._metric,
            concurrency=self._concurrency,
            budget=self._ledger,
            max_errors=self._max_errors,
        )
        failures = [row.failure for row in report.rows]
        return Answers(
            tuple(None if row.score is None else row.score.value for row in report.rows),
            tuple(failure is not None and failure.kind == "budget" for failure in failures),
            next((f.message for f in failures if f is not None and f.kind != "budget"), ""),
        )


def _as_metric(function: Callable[..., Any], bounds: Range) -> Callable[..., Any]:
    if inspect.iscoroutinefunction(function):

        async def ask_async(example: Example, _: Prediction) -> Any:
            return await function(example)

        ask_async.score_range = bounds  # type: ignore[attr-defined]  # as lp.metric does
        return ask_async

    def ask(example: Example, _: Prediction) -> Any:
        return function(example)

    ask.score_range = bounds  # type: ignore[attr-defined]  # as above
    return ask
