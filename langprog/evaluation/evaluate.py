"""Run a program over examples and score what it returns."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from langprog.errors import (
    AuthError,
    BadRequestError,
    BudgetExceeded,
    CheckError,
    ContentFilterError,
    ContextWindowError,
    InputError,
    LMError,
    MetricError,
    ModelError,
    ParseError,
    TransportError,
)
from langprog.evaluation.report import Failure, FailureKind, Report, Row
from langprog.evaluation.score import Metric, Score, as_score, check_metric, metric_name
from langprog.example import Example
from langprog.lm import Budget, LanguageModel, Ledger
from langprog.modules import Module, Prediction, Recorder, RunUsage, record_trace, usage_of
from langprog.runtime import call_in_worker, run_sync, using

OnRow = Callable[[Row], None]

# Whose fault a failure is; the first kind that fits counts.
KINDS: tuple[tuple[type[Exception], FailureKind], ...] = (
    (TransportError, "transport"),
    (BudgetExceeded, "budget"),
    (ParseError, "parse"),
    (CheckError, "check"),
    (ContextWindowError, "refused"),
    (ContentFilterError, "refused"),
)
# Nothing that a further row could do better: the run stops and says so.
STOPS = (AuthError, BadRequestError, InputError)
MISSING: frozenset[FailureKind] = frozenset({"transport", "budget"})


def evaluate(
    program: Module,
    data: Sequence[Example],
    metric: Metric,
    *,
    concurrency: int = 64,
    budget: Budget | Ledger | None = None,
    lm: LanguageModel | str | None = None,
) -> Report:
    """Run ``program`` on every example and score it.

    A failure on the way (after its retries) is a row without a score, never a 0; a reply that
    cannot be read, a failed check and an error in the program's own code score 0 and are told
    apart in ``report.failures_by_kind``.

    Args:
        program: The program.
        data: The examples; the program's inputs are taken from them by name.
        metric: ``metric(example, prediction)``, giving a number, a bool or a Score; may be async.
        concurrency: Examples in work at the same time.
        budget: A hard cap on all calls made here.
        lm: Model of the predictors that name none.

    Raises:
        InputError: An example lacks an input, or the metric cannot be called.
        MetricError: The metric raised; names the example.
        AuthError: The endpoint does not accept the key.
        BadRequestError: The endpoint refuses the requests as such.
    """
    return run_sync(
        aevaluate(program, data, metric, concurrency=concurrency, budget=budget, lm=lm)
    )


async def aevaluate(
    program: Module,
    data: Sequence[Example],
    metric: Metric,
    *,
    concurrency: int = 64,
    budget: Budget | Ledger | None = None,
    lm: LanguageModel | str | None = None,
    on_row: OnRow | None = None,
) -> Report:
    """Run ``program`` on every example and score it; the asynchronous form of :func:`evaluate`.

    Args:
        program: As for :func:`evaluate`.
        data: As for :func:`evaluate`.
        metric: As for :func:`evaluate`.
        concurrency: As for :func:`evaluate`.
        budget: As for :func:`evaluate`.
        lm: As for :func:`evaluate`.
        on_row: Told of each row when it is done, in the order in which rows are done.
    """
    if concurrency < 1:
        raise InputError(f"concurrency={concurrency}: must be 1 or more")
    check_metric(metric)
    names = program.input_names()
    _check_fields(data, names)
    rows: list[Row | None] = [None] * len(data)
    places = iter(range(len(data)))
    with using(lm=lm, budget=budget):
        workers = [
            asyncio.create_task(_work(program, data, metric, names, places, rows, on_row))
            for _ in range(min(concurrency, len(data)))
        ]
        try:
            await asyncio.gather(*workers)
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)
    return Report(tuple(row for row in rows if row is not None), metric_name(metric))


async def _work(
    program: Module,
    data: Sequence[Example],
    metric: Metric,
    names: tuple[str, ...],
    places: Iterator[int],
    rows: list[Row | None],
    on_row: OnRow | None,
) -> None:
    for place in places:
        row = rows[place] = await _row(program, place, data[place], metric, names)
        if on_row is not None:
            on_row(row)


async def _row(
    program: Module, index: int, example: Example, metric: Metric, names: tuple[str, ...]
) -> Row:
    inputs = {name: example[name] for name in names}
    started = time.perf_counter()
    prediction: Prediction | None = None
    failure: Failure | None = None
    with record_trace(program.paths()) as trace:
        try:
            prediction = await program.acall(**inputs)
        except STOPS as error:
            raise _located(error, index, example) from error
        except Exception as error:  # noqa: BLE001 - a failed example is a row, not the end
            failure = _failure(error, trace)
    steps = trace.steps()
    usage = usage_of(steps, time.perf_counter() - started)
    if failure is not None:
        score = None if failure.kind in MISSING else Score(0.0, failure.message)
        return Row(index, example, None, score, failure, usage, steps)
    assert prediction is not None
    return await _scored(index, example, prediction, metric, usage)


async def _scored(
    index: int, example: Example, prediction: Prediction, metric: Metric, usage: RunUsage
) -> Row:
    trace = prediction.trace
    with record_trace():  # the judge's calls are kept apart from the program's own
        try:
            score = await _score(metric, example, prediction)
        except (LMError, BudgetExceeded) as error:
            # A judge that could not be reached says nothing about the program.
            kind: FailureKind = "budget" if isinstance(error, BudgetExceeded) else "transport"
            failure = Failure(kind, f"the metric's model failed: {error}")
            return Row(index, example, prediction, None, failure, usage, trace)
        except Exception as error:
            raise MetricError(
                f"the metric failed on {_named(index, example)}: {type(error).__name__}: {error}"
            ) from error
    return Row(index, example, prediction, score, None, usage, trace)


async def _score(metric: Metric, example: Example, prediction: Prediction) -> Score:
    if inspect.iscoroutinefunction(metric):
        return as_score(await metric(example, prediction))
    # A user's metric may block or call a program itself, which the loop's thread must not.
    result: Any = await call_in_worker(metric, example, prediction)
    return as_score(await result if inspect.isawaitable(result) else result)


def _failure(error: Exception, trace: Recorder) -> Failure:
    steps = trace.steps()
    path = steps[-1].path if steps and steps[-1].failure is not None else ""
    for kind_of_error, kind in KINDS:
        if isinstance(error, kind_of_error):
            return Failure(kind, str(error), path)
    return Failure("error", f"{type(error).__name__}: {error}", path)


def _located(error: Exception, index: int, example: Example) -> Exception:
    if isinstance(error, InputError) and not isinstance(error, ModelError):
        return type(error)(f"{_named(index, example)}: {error}")
    return error


def _named(index: int, example: Example) -> str:
    name, value = next(iter(example.items()))
    shown = str(value)
    shown = shown if len(shown) <= 40 else shown[:37] + "..."
    return f"example {index + 1} ({name}={shown!r})"


def _check_fields(data: Sequence[Example], names: tuple[str, ...]) -> None:
    if not data:
        raise InputError("there are no examples to evaluate on")
    for index, example in enumerate(data):
        lacking = [name for name in names if name not in example]
        if lacking:
            raise InputError(
                f"example {index + 1} has no field {lacking[0]!r} that the program needs; "
                f"it has {', '.join(example) or 'none'}"
            )
