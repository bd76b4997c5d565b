"""Programs: modules that are called, listed, changed by copy and frozen.

- ``base``: :class:`Module`, the tree and its parameters; what a user subclasses.
- ``predict``: :class:`Predict`, the only module that asks a model.
- ``chain_of_thought``, ``pipeline``: modules made of modules.
- ``vote``, ``best_of``, ``cascade``, ``route``: several samples, steps or models for one answer
  (``around``: what they share; ``signals``: how sure an answer is; ``words``: hashed words).
- ``parallel``: many calls side by side out of synchronous code.
- ``prediction``, ``trace``: what a call returns, and what happened in it.
"""

from langprog.modules.around import judged
from langprog.modules.base import ROOT, Module, Parameter
from langprog.modules.best_of import BestOf
from langprog.modules.cascade import Cascade, Tier
from langprog.modules.chain_of_thought import ChainOfThought
from langprog.modules.parallel import parallel
from langprog.modules.pipeline import Pipeline
from langprog.modules.predict import Predict
from langprog.modules.prediction import Prediction
from langprog.modules.route import Route, Router
from langprog.modules.signals import (
    TOKEN_FEATURES,
    Agreement,
    Checked,
    Learned,
    LogProbability,
    Rule,
    Signal,
    signal_from,
    token_features,
)
from langprog.modules.trace import Recorder, RunUsage, TraceStep, record_trace, usage_of
from langprog.modules.vote import Tally, Vote, answer_key
from langprog.modules.words import hashed_words

__all__ = [
    "Agreement",
    "BestOf",
    "Cascade",
    "ChainOfThought",
    "Checked",
    "Learned",
    "LogProbability",
    "Module",
    "Parameter",
    "Pipeline",
    "Predict",
    "Prediction",
    "ROOT",
    "Recorder",
    "Route",
    "Router",
    "Rule",
    "RunUsage",
    "Signal",
    "TOKEN_FEATURES",
    "Tally",
    "Tier",
    "TraceStep",
    "Vote",
    "answer_key",
    "hashed_words",
    "judged",
    "parallel",
    "record_trace",
    "signal_from",
    "token_features",
    "usage_of",
]
