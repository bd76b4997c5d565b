"""Declare language programs, compile them against a metric, run the frozen artifact.

Public names are imported when they are first used, so that ``import langprog`` stays quick.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from langprog import checks as checks
    from langprog.artifact import diff as diff
    from langprog.artifact import load as load
    from langprog.artifact import save as save
    from langprog.checks import Check as Check
    from langprog.engines import RayEngine as RayEngine
    from langprog.errors import CheckError as CheckError
    from langprog.errors import LangprogError as LangprogError
    from langprog.estimation import aggregate as aggregate
    from langprog.estimation import agree as agree
    from langprog.estimation import estimate_accuracy as estimate_accuracy
    from langprog.estimation import estimate_mean as estimate_mean
    from langprog.evaluation import Comparison as Comparison
    from langprog.evaluation import Evaluator as Evaluator
    from langprog.evaluation import Report as Report
    from langprog.evaluation import Score as Score
    from langprog.evaluation import compare as compare
    from langprog.evaluation import dataset_metric as dataset_metric
    from langprog.evaluation import evaluate as evaluate
    from langprog.evaluation import metric as metric
    from langprog.example import Example as Example
    from langprog.example import load_examples as load_examples
    from langprog.interop import from_dspy as from_dspy
    from langprog.interop import from_gepa as from_gepa
    from langprog.interop import from_openai_evals as from_openai_evals
    from langprog.interop import from_promptfoo as from_promptfoo
    from langprog.interop import from_template as from_template
    from langprog.interop import to_dspy as to_dspy
    from langprog.interop import to_fine_tuning as to_fine_tuning
    from langprog.interop import to_gepa as to_gepa
    from langprog.interop import to_messages as to_messages
    from langprog.interop import to_python as to_python
    from langprog.interop import to_skill as to_skill
    from langprog.interop import to_template as to_template
    from langprog.lm import Budget as Budget
    from langprog.lm import Completion as Completion
    from langprog.lm import Message as Message
    from langprog.lm import ModelRef as ModelRef
    from langprog.lm import Price as Price
    from langprog.lm import Request as Request
    from langprog.lm import Sampling as Sampling
    from langprog.lm import ScriptedLM as ScriptedLM
    from langprog.media import Audio as Audio
    from langprog.media import File as File
    from langprog.media import History as History
    from langprog.media import Image as Image
    from langprog.modules import BestOf as BestOf
    from langprog.modules import Cascade as Cascade
    from langprog.modules import ChainOfThought as ChainOfThought
    from langprog.modules import ElementFailure as ElementFailure
    from langprog.modules import Map as Map
    from langprog.modules import Module as Module
    from langprog.modules import NearestDemos as NearestDemos
    from langprog.modules import Parameter as Parameter
    from langprog.modules import Pipeline as Pipeline
    from langprog.modules import Predict as Predict
    from langprog.modules import Prediction as Prediction
    from langprog.modules import PromptTemplate as PromptTemplate
    from langprog.modules import ReAct as ReAct
    from langprog.modules import Refine as Refine
    from langprog.modules import Retrieve as Retrieve
    from langprog.modules import Route as Route
    from langprog.modules import Router as Router
    from langprog.modules import StepSearch as StepSearch
    from langprog.modules import Vote as Vote
    from langprog.modules import parallel as parallel
    from langprog.modules import record_trace as record_trace
    from langprog.modules import require as require
    from langprog.modules import signals as signals
    from langprog.modules import suggest as suggest
    from langprog.observe import Callback as Callback
    from langprog.observe import CallLog as CallLog
    from langprog.observe import ElementFinished as ElementFinished
    from langprog.observe import FieldDelta as FieldDelta
    from langprog.observe import OpenTelemetry as OpenTelemetry
    from langprog.observe import StepFailed as StepFailed
    from langprog.observe import StepFinished as StepFinished
    from langprog.observe import StepReset as StepReset
    from langprog.observe import StepStarted as StepStarted
    from langprog.observe import ThinkingDelta as ThinkingDelta
    from langprog.retrieval import BM25Retriever as BM25Retriever
    from langprog.retrieval import Corpus as Corpus
    from langprog.retrieval import EmbeddingRetriever as EmbeddingRetriever
    from langprog.retrieval import FunctionRetriever as FunctionRetriever
    from langprog.retrieval import HybridRetriever as HybridRetriever
    from langprog.retrieval import LateInteractionRetriever as LateInteractionRetriever
    from langprog.retrieval import Passage as Passage
    from langprog.retrieval import RerankRetriever as RerankRetriever
    from langprog.retrieval import Retriever as Retriever
    from langprog.retrieval import load_corpus as load_corpus
    from langprog.reuse import EmbeddingEndpoint as EmbeddingEndpoint
    from langprog.reuse import SemanticCache as SemanticCache
    from langprog.runtime import LM as LM
    from langprog.runtime import callbacks as callbacks
    from langprog.runtime import configure as configure
    from langprog.runtime import using as using
    from langprog.sandbox import Sandbox as Sandbox
    from langprog.signature import Input as Input
    from langprog.signature import Output as Output
    from langprog.signature import Signature as Signature
    from langprog.signature import describe as describe
    from langprog.tools import Tool as Tool
    from langprog.tools import mcp_tools as mcp_tools
    from langprog.verification import record_canaries as record_canaries
    from langprog.verification import verify as verify

_ROOM_OF = {
    "Audio": "media",
    "BM25Retriever": "retrieval",
    "BestOf": "modules",
    "Budget": "lm",
    "CallLog": "observe",
    "Callback": "observe",
    "Cascade": "modules",
    "ChainOfThought": "modules",
    "Check": "checks",
    "CheckError": "errors",
    "Comparison": "evaluation",
    "Completion": "lm",
    "Corpus": "retrieval",
    "ElementFailure": "modules",
    "ElementFinished": "observe",
    "EmbeddingEndpoint": "reuse",
    "EmbeddingRetriever": "retrieval",
    "Evaluator": "evaluation",
    "Example": "example",
    "FieldDelta": "observe",
    "File": "media",
    "FunctionRetriever": "retrieval",
    "History": "media",
    "HybridRetriever": "retrieval",
    "Image": "media",
    "Input": "signature",
    "LM": "runtime",
    "LangprogError": "errors",
    "LateInteractionRetriever": "retrieval",
    "LogProbability": "modules",  # unlisted: lp.signals has it with the other signals
    "Map": "modules",
    "Message": "lm",
    "ModelRef": "lm",
    "Module": "modules",
    "NearestDemos": "modules",
    "OpenTelemetry": "observe",
    "Output": "signature",
    "Parameter": "modules",
    "Passage": "retrieval",
    "Pipeline": "modules",
    "Predict": "modules",
    "Prediction": "modules",
    "Price": "lm",
    "PromptTemplate": "modules",
    "RayEngine": "engines",
    "ReAct": "modules",
    "Refine": "modules",
    "Report": "evaluation",
    "Request": "lm",
    "RerankRetriever": "retrieval",
    "Retrieve": "modules",
    "Retriever": "retrieval",
    "Route": "modules",
    "Router": "modules",
    "Sampling": "lm",
    "Sandbox": "sandbox",
    "Score": "evaluation",
    "ScriptedLM": "lm",
    "SemanticCache": "reuse",
    "Signature": "signature",
    "StepFailed": "observe",
    "StepFinished": "observe",
    "StepReset": "observe",
    "StepSearch": "modules",
    "StepStarted": "observe",
    "ThinkingDelta": "observe",
    "Tool": "tools",
    "Vote": "modules",
    "aggregate": "estimation",
    "agree": "estimation",
    "callbacks": "runtime",
    "checks": "checks",
    "compare": "evaluation",
    "configure": "runtime",
    "dataset_metric": "evaluation",
    "describe": "signature",
    "diff": "artifact",
    "estimate_accuracy": "estimation",
    "estimate_mean": "estimation",
    "evaluate": "evaluation",
    "from_dspy": "interop",
    "from_gepa": "interop",
    "from_openai_evals": "interop",
    "from_promptfoo": "interop",
    "from_template": "interop",
    "load": "artifact",
    "load_corpus": "retrieval",
    "load_examples": "example",
    "mcp_tools": "tools",
    "metric": "evaluation",
    "parallel": "modules",
    "record_canaries": "verification",
    "record_trace": "modules",
    "require": "modules",
    "save": "artifact",
    "signals": "modules",
    "suggest": "modules",
    "to_dspy": "interop",
    "to_fine_tuning": "interop",
    "to_gepa": "interop",
    "to_messages": "interop",
    "to_python": "interop",
    "to_skill": "interop",
    "to_template": "interop",
    "using": "runtime",
    "verify": "verification",
}

__version__ = "0.1.0"

__all__ = [
    "Audio",
    "BM25Retriever",
    "BestOf",
    "Budget",
    "CallLog",
    "Callback",
    "Cascade",
    "ChainOfThought",
    "Check",
    "CheckError",
    "Comparison",
    "Completion",
    "Corpus",
    "ElementFailure",
    "ElementFinished",
    "EmbeddingEndpoint",
    "EmbeddingRetriever",
    "Evaluator",
    "Example",
    "FieldDelta",
    "File",
    "FunctionRetriever",
    "History",
    "HybridRetriever",
    "Image",
    "Input",
    "LM",
    "LangprogError",
    "LateInteractionRetriever",
    "Map",
    "Message",
    "ModelRef",
    "Module",
    "NearestDemos",
    "OpenTelemetry",
    "Output",
    "Parameter",
    "Passage",
    "Pipeline",
    "Predict",
    "Prediction",
    "Price",
    "PromptTemplate",
    "RayEngine",
    "ReAct",
    "Refine",
    "Report",
    "Request",
    "RerankRetriever",
    "Retrieve",
    "Retriever",
    "Route",
    "Router",
    "Sampling",
    "Sandbox",
    "Score",
    "ScriptedLM",
    "SemanticCache",
    "Signature",
    "StepFailed",
    "StepFinished",
    "StepReset",
    "StepSearch",
    "StepStarted",
    "ThinkingDelta",
    "Tool",
    "Vote",
    "aggregate",
    "agree",
    "callbacks",
    "checks",
    "compare",
    "configure",
    "dataset_metric",
    "describe",
    "diff",
    "estimate_accuracy",
    "estimate_mean",
    "evaluate",
    "from_dspy",
    "from_gepa",
    "from_openai_evals",
    "from_promptfoo",
    "from_template",
    "load",
    "load_corpus",
    "load_examples",
    "mcp_tools",
    "metric",
    "parallel",
    "record_canaries",
    "record_trace",
    "require",
    "save",
    "signals",
    "suggest",
    "to_dspy",
    "to_fine_tuning",
    "to_gepa",
    "to_messages",
    "to_python",
    "to_skill",
    "to_template",
    "using",
    "verify",
]


def __getattr__(name: str) -> Any:
    room = _ROOM_OF.get(name)
    if room is None:
        hints = importlib.import_module("langprog.hints")
        elsewhere = hints.NAMES
        if name not in elsewhere and (owner := hints.find_room(name)):
            elsewhere = {name: f"write `from {owner} import {name}`"}
        raise hints.missing_export("langprog", name, elsewhere, __all__)
    place = importlib.import_module(f"langprog.{room}")
    value = place if name == room else getattr(place, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
