"""Tests and intervals that comparisons, certificates and checks share.

- ``pairs``: scores and costs of two programs on the same rows, in clusters. ``partial``: scores
  of which some are missing.
- ``mean_difference``: is the mean difference larger than a margin? ``trinomial`` and ``betting``:
  the two tests behind it. ``shares``: does most of the data cost less?
- ``claims``: what may be claimed, in a fixed order.
- ``repeats``: several runs of a row. ``set_level``: metrics of a whole data set.
- ``anytime``: a test of counts, and the interval of a mean, that grow while one looks.
- ``exchangeability``: are later replies like earlier ones?
- ``intervals``: of a single mean. ``permutation``: tests by exchanging signs.
"""

from langprog.evaluation.statistics.anytime import RunningMean, anytime_sign_p
from langprog.evaluation.statistics.claims import (
    Claim,
    Claims,
    Finding,
    Objective,
    attempt_level,
    check_claims,
)
from langprog.evaluation.statistics.exchangeability import (
    BettingWealth,
    ConformalRanks,
    bets_until,
)
from langprog.evaluation.statistics.intervals import (
    mean,
    mean_interval,
    quantile,
    student_quantile,
)
from langprog.evaluation.statistics.mean_difference import (
    LEVEL,
    MeanTest,
    bound_mean,
    fewest_clusters,
    mean_p,
    paired_mean_interval,
)
from langprog.evaluation.statistics.pairs import PairedCosts, PairedScores
from langprog.evaluation.statistics.partial import MAX_MISSING, PartialScores
from langprog.evaluation.statistics.permutation import mcnemar_p, sign_flip_p
from langprog.evaluation.statistics.repeats import Spread, pass_hat, split_variance
from langprog.evaluation.statistics.set_level import SetComparison, compare_sets
from langprog.evaluation.statistics.shares import ShareTest, bound_share

__all__ = [
    "BettingWealth",
    "Claim",
    "Claims",
    "Finding",
    "ConformalRanks",
    "LEVEL",
    "MAX_MISSING",
    "MeanTest",
    "Objective",
    "PairedCosts",
    "PairedScores",
    "PartialScores",
    "RunningMean",
    "SetComparison",
    "ShareTest",
    "Spread",
    "anytime_sign_p",
    "attempt_level",
    "bets_until",
    "bound_mean",
    "bound_share",
    "check_claims",
    "compare_sets",
    "fewest_clusters",
    "mcnemar_p",
    "mean",
    "mean_interval",
    "mean_p",
    "paired_mean_interval",
    "pass_hat",
    "quantile",
    "sign_flip_p",
    "split_variance",
    "student_quantile",
]
