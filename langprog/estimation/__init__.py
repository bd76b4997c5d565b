"""Estimation: means with intervals where labels are few, and judges or proxies are many.

- ``estimate``: what is returned. ``numbers``: reads scores and labels.
- ``prediction_powered``: a mean from few labels and a judge of every row.
- ``aggregation``: the mean of a batch from few questions to an oracle (``strata``: which, and what
  they amount to; ``asking``: functions and programs that are asked).
- ``accuracy``: a program's accuracy on new rows without labels (``features``: what tells rows
  apart; ``sparse_shift``: what has shifted).
- ``joining``: several judges of the same rows.
"""

from langprog.estimation.accuracy import estimate_accuracy
from langprog.estimation.aggregation import aggregate
from langprog.estimation.estimate import MeanEstimate
from langprog.estimation.joining import JoinedVerdicts, agree
from langprog.estimation.prediction_powered import estimate_mean
from langprog.estimation.sparse_shift import Shift, estimate_shifted

__all__ = [
    "JoinedVerdicts",
    "MeanEstimate",
    "Shift",
    "aggregate",
    "agree",
    "estimate_accuracy",
    "estimate_mean",
    "estimate_shifted",
]
