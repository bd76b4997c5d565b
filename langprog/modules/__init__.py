"""Programs: modules that are called, listed, copied with changes and frozen.

- ``base``: :class:`Module`, which users subclass (``tree``: parts, parameters, copies;
  ``containers``: modules in lists, dicts and the like; ``held``: what other objects hold).
- ``node``, ``registry``, ``parameter_data``: modules as data; each module's file has its node.
- ``predict``: :class:`Predict`, the only module that calls a model.
- ``prompt_template``: a Predict whose prompt is a template of another tool.
- ``nearest``: demonstrations chosen for each input (``nearest_index``: finding them).
- ``conversation``: a predictor's prompt, repair and re-asks. ``requiring``: conditions in a
  program's own code (``backtracking``: running it again after an answer was asked for again).
- ``structure``: the outputs that a prompt asks for, in which order, with or without reasoning.
- ``chain_of_thought``, ``pipeline``: modules made of modules.
- ``vote``, ``best_of``, ``cascade``, ``route``, ``refine``: several samples, steps, models or
  rounds for one answer (``around``: their base class; ``signals``: confidence in an answer;
  ``words``: hashed words).
- ``step_search``: a search over steps of reasoning (``step_parts``: what proposes and judges;
  ``step_strategies``: beam, particles, A*).
- ``react``: work with tools (``next_step``: the predictor inside; ``tool_steps``: what was called
  and what came back; ``tool_prompts``: native calls, and calls in text).
- ``map``: a module applied to every element of a list.
- ``retrieve``: passages for a query, from ``langprog.retrieval``.
- ``parallel``: concurrent calls from synchronous code.
- ``prediction``, ``trace``: what a call returns, and what happened in it.
"""

from langprog.modules.around import judge_answer
from langprog.modules.base import Module
from langprog.modules.best_of import BestOf
from langprog.modules.cascade import Cascade, Tier
from langprog.modules.chain_of_thought import ChainOfThought
from langprog.modules.compiles import list_compiles
from langprog.modules.containers import hidden_modules, own_class_attributes
from langprog.modules.elements import ElementFailure
from langprog.modules.held import held_by
from langprog.modules.map import Map
from langprog.modules.nearest import NearestDemos
from langprog.modules.next_step import NextStep, NextStepNode, tool_to_data
from langprog.modules.node import (
    UNKNOWN_KIND,
    AnyNode,
    ClassData,
    Node,
    ParameterData,
    Part,
    SameNode,
    Strict,
    ToolData,
    Types,
    UserNode,
    parts_by_name,
    parts_of_list,
    read_node,
)
from langprog.modules.origin import Origin, add_compile, origin_of, with_origin
from langprog.modules.parallel import parallel
from langprog.modules.parameter_data import (
    SamplingData,
    demo_to_data,
    own_parameter_from_data,
    own_parameters_to_data,
    sampling_to_data,
)
from langprog.modules.pipeline import Pipeline
from langprog.modules.predict import Predict
from langprog.modules.prediction import Prediction
from langprog.modules.prompt_template import PromptTemplate, read_template
from langprog.modules.react import ReAct
from langprog.modules.reading import Reading, find_cut
from langprog.modules.refine import Refine
from langprog.modules.registry import is_kind, module_type
from langprog.modules.requiring import require, suggest
from langprog.modules.retrieve import Retrieve
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
from langprog.modules.step_search import StepSearch
from langprog.modules.streaming import Event
from langprog.modules.structure import Structure, holds_reasoning
from langprog.modules.tool_steps import Step, ToolOutput, ToolUse
from langprog.modules.trace import (
    Recorder,
    RunUsage,
    TraceStep,
    carry_along,
    record_trace,
    recorder,
    usage_of,
)
from langprog.modules.tree import Parameter, ParameterKind, Tree
from langprog.modules.typed import Out, Out_co
from langprog.modules.vote import Tally, Vote, answer_key
from langprog.modules.words import hash_words

__all__ = [
    "Agreement",
    "AnyNode",
    "BestOf",
    "Cascade",
    "ChainOfThought",
    "Checked",
    "ClassData",
    "ElementFailure",
    "Event",
    "Learned",
    "LogProbability",
    "Map",
    "Module",
    "NearestDemos",
    "NextStep",
    "NextStepNode",
    "Node",
    "Origin",
    "Out",
    "Out_co",
    "Parameter",
    "ParameterData",
    "ParameterKind",
    "Part",
    "Pipeline",
    "Predict",
    "Prediction",
    "PromptTemplate",
    "ReAct",
    "Reading",
    "Recorder",
    "Refine",
    "Retrieve",
    "Route",
    "Router",
    "Rule",
    "RunUsage",
    "SameNode",
    "SamplingData",
    "Signal",
    "Step",
    "StepSearch",
    "Strict",
    "Structure",
    "TOKEN_FEATURES",
    "Tally",
    "Tier",
    "ToolData",
    "ToolOutput",
    "ToolUse",
    "TraceStep",
    "Tree",
    "Types",
    "UNKNOWN_KIND",
    "UserNode",
    "Vote",
    "add_compile",
    "answer_key",
    "carry_along",
    "demo_to_data",
    "find_cut",
    "hash_words",
    "held_by",
    "hidden_modules",
    "holds_reasoning",
    "is_kind",
    "judge_answer",
    "list_compiles",
    "module_type",
    "origin_of",
    "own_class_attributes",
    "own_parameter_from_data",
    "own_parameters_to_data",
    "parallel",
    "parts_by_name",
    "parts_of_list",
    "read_node",
    "read_template",
    "record_trace",
    "recorder",
    "require",
    "sampling_to_data",
    "signal_from",
    "suggest",
    "token_features",
    "tool_to_data",
    "usage_of",
    "with_origin",
]
