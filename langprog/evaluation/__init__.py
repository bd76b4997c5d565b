"""Evaluation: run a program over examples, score it, compare it, with honest intervals.

- ``evaluate``: :func:`evaluate`. ``failures``: what counts as a failure, and whose it is.
- ``report``: rows and their summary. ``compare``: two programs on the same examples.
- ``score``: the metric contract. ``metrics``: ready-made metrics. ``judging``: metrics built from
    others. ``evaluator``: a metric in a sandbox.
- ``statistics``: tests and intervals. ``clusters``: which inputs count as one. ``used_rows``: what
  the compiles behind a program have used.
- ``redaction``: recognizes secrets.
"""

from langprog.evaluation.clusters import InputKeys, cluster_rows, fold_text, join_clusters
from langprog.evaluation.combining import (
    DatasetMetric,
    all_of,
    dataset_metric,
    kappa,
    macro_f1,
    matthews,
)
from langprog.evaluation.common_failure import BROKEN, UNREADABLE, find_common_failure
from langprog.evaluation.compare import Comparison, compare
from langprog.evaluation.evaluate import aevaluate, check_inputs, evaluate
from langprog.evaluation.evaluator import Evaluator, ScoreMemo
from langprog.evaluation.failures import Failure, FailureKind, describe_failure, find_stop
from langprog.evaluation.gates import (
    ProgramComparison,
    assert_not_worse,
    check_tolerated_metric,
    compare_programs,
)
from langprog.evaluation.judging import judged
from langprog.evaluation.measuring import Measured, sum_latency
from langprog.evaluation.metric_errors import MetricErrors, name_example
from langprog.evaluation.metrics import contains, exact, f1, numeric
from langprog.evaluation.ranges import UNIT, Range, check_range, metric, range_of
from langprog.evaluation.report import Report, Row
from langprog.evaluation.scorable import check_scorable
from langprog.evaluation.score import (
    Metric,
    Score,
    as_score,
    check_metric,
    for_predictor,
    metric_name,
    takes_predictor,
)
from langprog.evaluation.statistics import (
    MAX_MISSING,
    BettingWealth,
    Claim,
    Claims,
    ConformalRanks,
    Finding,
    MeanTest,
    Objective,
    PairedCosts,
    PairedScores,
    PartialScores,
    RunningMean,
    SetComparison,
    ShareTest,
    Spread,
    anytime_sign_p,
    attempt_level,
    bets_until,
    bound_mean,
    bound_share,
    check_claims,
    compare_sets,
    fewest_clusters,
    mcnemar_p,
    mean_interval,
    mean_p,
    paired_mean_interval,
    pass_hat,
    quantile,
    sign_flip_p,
    split_variance,
    student_quantile,
)
from langprog.evaluation.used_rows import Use, UsedRows, salted_digest
from langprog.lm import looks_secret, redact

__all__ = [
    "BROKEN",
    "BettingWealth",
    "Claim",
    "Claims",
    "Comparison",
    "ConformalRanks",
    "DatasetMetric",
    "Evaluator",
    "Failure",
    "FailureKind",
    "Finding",
    "InputKeys",
    "MAX_MISSING",
    "MeanTest",
    "Measured",
    "Metric",
    "MetricErrors",
    "Objective",
    "PairedCosts",
    "PairedScores",
    "PartialScores",
    "ProgramComparison",
    "Range",
    "Report",
    "Row",
    "RunningMean",
    "Score",
    "ScoreMemo",
    "SetComparison",
    "ShareTest",
    "Spread",
    "UNIT",
    "UNREADABLE",
    "Use",
    "UsedRows",
    "aevaluate",
    "all_of",
    "anytime_sign_p",
    "as_score",
    "assert_not_worse",
    "attempt_level",
    "bets_until",
    "bound_mean",
    "bound_share",
    "check_claims",
    "check_inputs",
    "check_metric",
    "check_range",
    "check_scorable",
    "check_tolerated_metric",
    "cluster_rows",
    "compare",
    "compare_programs",
    "compare_sets",
    "contains",
    "dataset_metric",
    "describe_failure",
    "evaluate",
    "exact",
    "f1",
    "fewest_clusters",
    "find_common_failure",
    "find_stop",
    "fold_text",
    "for_predictor",
    "join_clusters",
    "judged",
    "kappa",
    "looks_secret",
    "macro_f1",
    "matthews",
    "mcnemar_p",
    "mean_interval",
    "mean_p",
    "metric",
    "metric_name",
    "name_example",
    "numeric",
    "paired_mean_interval",
    "pass_hat",
    "quantile",
    "range_of",
    "redact",
    "salted_digest",
    "sign_flip_p",
    "split_variance",
    "student_quantile",
    "sum_latency",
    "takes_predictor",
]
