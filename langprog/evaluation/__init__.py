"""Evaluation: run a program over examples, score it, compare it, with honest intervals.

- ``evaluate``: :func:`evaluate`; what is a failure and whose, is decided there.
- ``report``: rows and what they say together. ``compare``: two programs on the same examples.
- ``score``, ``metrics``: what a metric is, and ready ones.
- ``statistics``: intervals and tests.
"""

from langprog.evaluation.compare import Comparison, compare
from langprog.evaluation.evaluate import aevaluate, evaluate
from langprog.evaluation.metrics import all_of, contains, exact, f1, judged, numeric
from langprog.evaluation.report import Failure, FailureKind, Report, Row
from langprog.evaluation.score import Metric, Score, as_score, check_metric, metric_name
from langprog.evaluation.statistics import mean_interval, paired_interval, sign_flip_p

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
    "judged",
    "mean_interval",
    "metric_name",
    "numeric",
    "paired_interval",
    "sign_flip_p",
]
