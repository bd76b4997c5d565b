"""Programs: modules that are called, listed, changed by copy and frozen.

- ``base``: :class:`Module`, the tree and its parameters; what a user subclasses.
- ``predict``: :class:`Predict`, the only module that asks a model.
- ``chain_of_thought``, ``pipeline``: modules made of modules.
- ``prediction``, ``trace``: what a call returns, and what happened in it.
"""

from langprog.modules.base import Module, Parameter
from langprog.modules.chain_of_thought import ChainOfThought
from langprog.modules.pipeline import Pipeline
from langprog.modules.predict import Predict
from langprog.modules.prediction import Prediction
from langprog.modules.trace import Recorder, RunUsage, TraceStep, record_trace, usage_of

__all__ = [
    "ChainOfThought",
    "Module",
    "Parameter",
    "Pipeline",
    "Predict",
    "Prediction",
    "Recorder",
    "RunUsage",
    "TraceStep",
    "record_trace",
    "usage_of",
]
