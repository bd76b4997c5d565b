"""Evaluation: run a program over examples, score it, compare it, with honest intervals.

- ``evaluate``: :func:`evaluate`. ``failures``: what is a failure, and whose.
- ``report``: rows and what they say together. ``compare``: two programs on the same examples.
- ``score``: what a metric is. ``metrics``: ready ones. ``judging``: metrics made of others.
- ``statistics``: intervals. ``permutation``: exact tests.
- ``redaction``: what a secret looks like.
"""

from langprog.evaluation.compare import Comparison, compare
from langprog.evaluation.evaluate import aevaluate, evaluate
from langprog.evaluation.failures import Failure, FailureKind, failure_of, stops
from langprog.evaluation.judging import all_of, judged
from langprog.evaluation.metrics import contains, exact, f1, numeric
from langprog.evaluation.permutation import mcnemar_p, sign_flip_p
from langprog.evaluation.redaction import looks_secret, redacted
from langprog.evaluation.report import Report, Row
from langprog.evaluation.score import Metric, Score, as_score, check_metric, metric_name
from langprog.evaluation.statistics import (
    mean_interval,
    paired_interval,
    quantile,
    student_quantile,
)

__all__ = [
    "Comparison",
    "Failure",
    "FailureKind",
    "Metric",
    "Report",
    "Row",
    "Score",
    "aevaluate",
    "all_of",
    "as_score",
    "check_metric",
    "compare",
    "contains",
    "evaluate",
    "exact",
    "f1",
    "failure_of",
    "judged",
    "looks_secret",
    "mcnemar_p",
    "mean_interval",
    "metric_name",
    "numeric",
    "paired_interval",
    "quantile",
    "redacted",
    "sign_flip_p",
    "stops",
    "student_quantile",
]
