"""Feedback on one predictor, from metrics that take its name and its calls.

Follows: the metrics of DSPy's GEPA, ``metric(gold, pred, trace, pred_name, pred_trace)``.
Differs: only the words are taken from such a call, as there; where it fails, those of the whole
row stay.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Mapping, Sequence
from dataclasses import replace

from langprog import Example, Module
from langprog.errors import LangprogError
from langprog.evaluation import Metric, Row, Score, as_score, for_predictor
from langprog.modules import Predict, Prediction
from langprog.runtime import call_in_worker


async def with_feedback_on(
    path: str, rows: Sequence[Row], program: Module, metric: Metric
) -> tuple[list[Row], list[Exception]]:
    """Return rows whose feedback is about one predictor, and what the metric raised.

    Args:
        path: The predictor.
        rows: What the program did.
        program: The program.
        metric: One that can be told which predictor is asked about.

    Raises:
        LangprogError: A budget is spent, say.
    """
    predictors = program.predictors()
    answers = await asyncio.gather(
        *(_ask(path, row, program, predictors, metric) for row in rows), return_exceptions=True
    )
    told, errors = [], []
    for row, answer in zip(rows, answers, strict=True):
        if isinstance(answer, Exception) and not isinstance(answer, LangprogError):
            errors.append(answer)
        elif isinstance(answer, BaseException):
            raise answer
        told.append(row if isinstance(answer, BaseException) else answer)
    return told, errors


async def _ask(
    path: str, row: Row, program: Module, predictors: Mapping[str, Predict], metric: Metric
) -> Row:
    if row.prediction is None or row.score is None:
        return row
    as_seen = program.adapt_metric(_give_prediction)
    calls = [
        (
            step.path,
            (
                predictors.get(step.path),
                dict(step.inputs),
                as_seen(row.example, Prediction(**step.outputs)),
            ),
        )
        for step in row.trace
        if step.failure is None
    ]
    if not any(at == path for at, _ in calls):
        return row
    asked = program.adapt_metric(for_predictor(metric, path, calls))
    if inspect.iscoroutinefunction(asked):
        result = await asked(row.example, row.prediction)
    else:
        result = await call_in_worker(asked, row.example, row.prediction)
    words = as_score(result).feedback
    return row if words is None else replace(row, score=Score(row.score.value, words))


def _give_prediction(example: Example, prediction: Prediction) -> Prediction:
    """Return a prediction as a metric of the program gets it: as DSPy's, say."""
    return prediction
