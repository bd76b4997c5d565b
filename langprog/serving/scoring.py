"""Scores of answers to the same request, by the metric of the trial."""

from __future__ import annotations

from collections.abc import Mapping

from langprog.errors import MetricError
from langprog.evaluation import Metric, aevaluate, range_of
from langprog.example import Example
from langprog.modules import Module, Prediction
from langprog.serving.kept_answers import Arm


class _Given(Module):
    """A program that returns what another one has returned."""

    def __init__(self, prediction: Prediction) -> None:
        self.prediction = prediction

    async def aforward(self) -> Prediction:
        return self.prediction


async def score_answers(
    metric: Metric, example: Example, answers: Mapping[Arm, Prediction | None]
) -> dict[Arm, float]:
    """Return the score of each answer; a failure has the worst one.

    Args:
        metric: The metric.
        example: The request's inputs and, where it is known, what is right.
        answers: The answers; ``None`` for a failure of the program.

    Raises:
        MetricError: The metric raised, or returned no score in its range.
        LangprogError: The metric asked a model, which could not be reached or gave no verdict.
    """
    scores: dict[Arm, float] = {}
    for arm, prediction in answers.items():
        if prediction is None:
            scores[arm] = range_of(metric)[0]
            continue
        report = await aevaluate(_Given(prediction), [example], metric)
        (row,) = report.rows
        if row.score is None:
            said = "no score" if row.failure is None else row.failure.message
            raise MetricError(f"the metric gave no score: {said}")
        scores[arm] = row.score.value
    return scores
