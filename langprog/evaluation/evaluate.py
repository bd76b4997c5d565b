"""Run a program over examples and score what it returns."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from langprog.errors import BadRequestError, InputError
from langprog.evaluation.advice import advice_on, advice_on_labels
from langprog.evaluation.clusters import InputKeys
from langprog.evaluation.combining import DatasetMetric
from langprog.evaluation.failures import (
    Failure,
    describe_failure,
    describe_judge_failure,
    find_caught_failure,
    find_stop,
)
from langprog.evaluation.metric_calls import MetricCalls
from langprog.evaluation.metric_errors import MetricErrors, NameRow, name_example
from langprog.evaluation.ranges import Range, clip_to_range, range_of
from langprog.evaluation.report import Report, Row
from langprog.evaluation.scorable import check_scorable
from langprog.evaluation.score import (
    Metric,
    Score,
    as_score,
    check_metric,
    metric_name,
    with_two_arguments,
)
from langprog.evaluation.typing_rows import TypedRows
from langprog.example import Example, Rows, copy_value, examples_of
from langprog.hints import Words, with_hints
from langprog.knobs import check_argument, takes_whole
from langprog.lm import Budget, LanguageModel, Ledger
from langprog.modules import Module, Out, Prediction, RunUsage, record_trace, usage_of
from langprog.observe import EvaluationStarted
from langprog.runtime import give_notice, observe_call, run_sync, using

Data = Rows
OnRow = Callable[[Row], None]
_Call = Callable[[Example, Prediction], Awaitable[Any]]


# Arguments of other libraries, and what there is here instead.
_ELSEWHERE: Words = MappingProxyType(
    {
        "callback_metadata": "write `with lp.callbacks(...):` around it",
        "devset": "write data=, or give the examples as the second argument",
        "display_progress": "a report says how it went: print(report)",
        "display_table": "print(report), or look at report.rows",
        "failure_score": "a failure of the program scores 0; an outage is a row without a score",
        "num_threads": "write concurrency=",
        "provide_traceback": "report.first_failures has the first failure of each kind",
        "return_all_scores": "look at report.rows",
        "return_outputs": "look at report.rows",
        "save_as_csv": "look at report.rows",
        "save_as_json": "write report.to_json()",
    }
)


@with_hints(_ELSEWHERE)
def evaluate(
    program: Module[Out],
    data: Data,
    metric: Metric[Out],
    *,
    concurrency: int = 64,
    budget: Budget | Ledger | None = None,
    lm: LanguageModel | str | None = None,
    max_errors: int = 0,
) -> Report:
    """Run ``program`` on every example and score it.

    A transport failure (after its retries) is a row without a score, never a 0. An unreadable
    reply, a failed check and an error in the program's own code score 0, and
    ``report.failures_by_kind`` lists them separately. Invalid data is rejected before the first
    call.

    Args:
        program: The program.
        data: The examples, as a list of examples or dicts or as a DataFrame; the program's inputs
            are taken from them by name. Values are typed by the program's signature, so that a
            ``"7"`` from a CSV file equals an int output.
        metric: ``metric(example, prediction)``, giving a number, a bool or a Score; may be async.
            Metrics written for DSPy work unchanged.
        concurrency: Examples evaluated at the same time, which also limits the requests in flight;
            a model's ``width`` lowers that only if it was set, or after the endpoint answered 429
            or let requests time out in its queue.
        budget: A hard cap on all calls made here.
        lm: Model for the predictors that do not name one.
        max_errors: On how many examples the metric may raise before the evaluation stops; such
            a row has no score.

    Raises:
        InputError: There are no examples, or one lacks an input or does not fit it.
        MetricError: The metric cannot be called, raised, or gave a score outside its range; names
            the example.
        ModelError: A model's name, key or price is unknown.
        AuthError: The endpoint does not accept the key.
        BadRequestError: The endpoint rejects the requests as invalid.
    """
    report = run_sync(
        aevaluate(
            program,
            data,
            metric,
            concurrency=concurrency,
            budget=budget,
            lm=lm,
            max_errors=max_errors,
        )
    )
    lowest = report.score_range[0] if report.score_range is not None else 0.0
    about_labels = advice_on_labels(program, report.rows, lowest)
    if about_labels:
        give_notice(about_labels)
    return report


async def aevaluate(
    program: Module[Out],
    data: Data,
    metric: Metric[Out],
    *,
    concurrency: int = 64,
    budget: Budget | Ledger | None = None,
    lm: LanguageModel | str | None = None,
    max_errors: int | MetricErrors = 0,
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
        max_errors: As for :func:`evaluate`, or a counter that several evaluations share.
        on_row: Called with each row when it is done, in order of completion.
    """
    if not isinstance(program, Module):
        raise InputError(
            f"the program is a {type(program).__name__}: evaluate takes a module, such as "
            "lp.Predict(...), lp.from_dspy(program) for one of DSPy, "
            "or compiled.program of what a compile returned"
        )
    check_argument("evaluate", "concurrency", concurrency, takes_whole(1))
    check_metric(metric)
    examples = examples_of(data)
    if not examples:
        raise InputError("there are no examples to evaluate on")
    names = program.input_names()
    errors = max_errors if isinstance(max_errors, MetricErrors) else MetricErrors(max_errors)
    check_inputs(program, examples, errors.name_row)
    check_scorable(metric, program, examples, errors.name_row)
    rows: list[Row | None] = [None] * len(examples)
    places = iter(range(len(examples)))
    called = program.adapt_metric(with_two_arguments(metric))
    call = called if inspect.iscoroutinefunction(called) else MetricCalls(called)
    work = _Work(program, TypedRows(program), call, range_of(metric), names, errors, on_row)
    with (
        observe_call(
            "evaluation",
            lambda number, parent, _: EvaluationStarted(
                number, parent, type(program).__name__, len(examples), metric_name(metric)
            ),
        ) as finish,
        using(lm=lm, budget=budget),
    ):
        # A few workers share the examples: large data must not mean as many tasks.
        workers = [
            asyncio.create_task(work.run(examples, places, rows))
            for _ in range(min(concurrency, len(examples)))
        ]
        try:
            await asyncio.gather(*workers)
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)
        done = tuple(row for row in rows if row is not None)
        _report_unlisted(done)
        together = metric.score_rows if isinstance(metric, DatasetMetric) else None
        report = Report(
            done,
            metric_name(metric),
            advice_on(program, done, work.range[0]),
            together,
            keys=InputKeys(program),
            score_range=work.range,
        )
        finish(report)
    return report


def _report_unlisted(rows: Sequence[Row]) -> None:
    """Warn about predictors that were called but that a search would not see."""
    for name in dict.fromkeys(step.path for row in rows for step in row.trace if not step.listed):
        give_notice(
            f"the predictor {name!r} was called but is not a part of the program: no search sets "
            "it and no artifact keeps it; make it an attribute of the module that calls it, in "
            "its __init__, and call it through self (a lambda or bound method that an attribute "
            "holds calls the program that it was made in, and not its copies)"
        )


@dataclass(frozen=True)
class _Work:
    """What to do with every example.

    Args:
        program: The program.
        typed: Converts the values of an example to their types.
        metric: Scores a prediction.
        range: The range of the metric's scores.
        names: The program's inputs.
        errors: Handles errors of the metric, and names examples.
        on_row: Called with each row.
    """

    program: Module
    typed: TypedRows
    metric: _Call
    range: Range
    names: tuple[str, ...]
    errors: MetricErrors
    on_row: OnRow | None

    async def run(
        self, data: Sequence[Example], places: Iterator[int], rows: list[Row | None]
    ) -> None:
        """Run the program on the examples at these positions."""
        for place in places:
            row = rows[place] = await _run_row(self, place, data[place])
            if self.on_row is not None:
                self.on_row(row)


async def _run_row(work: _Work, index: int, example: Example) -> Row:
    program, typed = work.program, work.typed.of(example)
    inputs = {name: typed[name] for name in work.names if name in typed}
    started = time.perf_counter()
    prediction: Prediction | None = None
    failure: Failure | None = None
    with record_trace(program.paths()) as trace:
        try:
            prediction = await program.acall(**inputs)
        except Exception as error:  # a failed example is a row, not the end
            stop = find_stop(error, trace.steps())
            if stop is not None:
                raise _locate(stop, work.errors.name_row(index, example)) from error
            failure = describe_failure(error, trace.steps())
    steps = trace.steps()
    if failure is None or not failure.missing:  # also where the program failed for want of a reply
        failure = find_caught_failure(steps) or failure
        prediction = None if failure is not None else prediction
    usage = usage_of(steps, time.perf_counter() - started)
    if failure is not None:
        score = None if failure.missing else Score(work.range[0], failure.message)
        row = Row(index, example, None, score, failure, usage, steps)
    else:
        assert prediction is not None
        row = await _score_row(work, index, example, prediction, usage)
    return row if typed is example else replace(row, typed=typed)


async def _score_row(
    work: _Work, index: int, example: Example, prediction: Prediction, usage: RunUsage
) -> Row:
    started = time.perf_counter()
    score: Score | None = None
    failure: Failure | None = None
    with record_trace() as judge:  # the metric's calls are counted separately
        try:
            score = await _score(work, work.typed.of(example), _copy_lists(prediction))
        except Exception as error:  # noqa: BLE001 - the row has no score, or the run stops
            # A judge without a verdict says nothing about the program.
            failure = (
                describe_judge_failure(error)
                or find_caught_failure(judge.steps(), by="the metric")
                or work.errors.add(index, example, error)
            )
    if failure is None:
        failure = find_caught_failure(judge.steps(), by="the metric")
        score = None if failure is not None else score
    judging = usage_of(judge.steps(), time.perf_counter() - started)
    return Row(index, example, prediction, score, failure, usage, prediction.trace, judging)


def _copy_lists(prediction: Prediction) -> Prediction:
    """Return a prediction whose lists a metric may change: the trace has the same ones."""
    values = prediction.to_dict()
    copied = {name: copy_value(value) for name, value in values.items()}
    if all(copied[name] is value for name, value in values.items()):
        return prediction
    return Prediction.of(copied, prediction.usage, prediction.trace)


async def _score(work: _Work, example: Example, prediction: Prediction) -> Score:
    result = await work.metric(example, prediction)
    # A metric may return an awaitable without being a coroutine function.
    score = as_score(await result if inspect.isawaitable(result) else result)
    return replace(score, value=clip_to_range(score.value, work.range))


def _locate(error: Exception, place: str) -> Exception:
    if isinstance(error, BadRequestError):
        return type(error)(f"{place}: {error}", model=error.model)
    return type(error)(f"{place}: {error}") if type(error) is InputError else error


# --- the data ------------------------------------------------------------------------------------


def check_inputs(
    program: Module, examples: Sequence[Example], name_row: NameRow = name_example
) -> None:
    """Check that every example has the inputs of a program, before anything is paid for.

    Raises:
        InputError: An example lacks an input, or has one of the wrong type; names the example.
    """
    typed, names = TypedRows(program), program.input_names()
    for index, example in enumerate(examples):
        for name in names:
            if name in example:
                try:
                    typed.check(name, example[name])
                except InputError as error:
                    raise InputError(f"{name_row(index, example)}: {error}") from None
            elif typed.needs(name):
                raise InputError(
                    f"{name_row(index, example)} has no field {name!r} that the program needs; "
                    f"it has {', '.join(example) or 'none'}"
                )
