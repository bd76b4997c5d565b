"""Optimizers: one contract, one optimizer per file.

``Optimizer.compile(program, trainset, *, metric, ...)`` is the same for every optimizer: a frozen
dataclass of knobs with one method, ``search``. ``pipeline`` holds what surrounds every search,
``run`` what a search may use.

- ``base``: the contract. ``compiler``: the default. ``chain``: one optimizer after another.
- ``request``, ``split``, ``preflight``, ``pipeline``: a compile, from its checks to its result.
- ``journal``, ``identity``: resuming a compile with the same decisions. ``events``: progress.
- ``budget/``: dividing a budget, metering requests, forecasting them.
- ``evaluation/``: candidates, their scores on validation, the Pareto front.
- ``demos/``: demonstrations from labels and from good runs.
- ``instructions/``: proposals for instructions, and the filter that they have to pass.
- ``search/``: MIPRO: searches instructions, demonstrations and models together. What comes
  before it in Compiler: the structure of the program.
- ``pruning/``: after a search, what does not pay for itself is taken out again.
- ``reflective/``: GEPA: instructions evolve from mistakes.
- ``models/``: which model each module calls: assignments, cascades, routes, votes.
- ``labelling/``: which rows to label next, and weak labels.
- ``porting/``: what starts from an artifact. On another model: a test, and a compile only if it
  fails. Compiled again, from where it is.
- ``stats/``: the certificate and its evidence. ``report/``: what a compile returns.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from langprog.hints import Words, missing_export
from optimizers.base import Optimizer
from optimizers.chain import Chain
from optimizers.compiler import Compiler
from optimizers.demos.few_shot import BootstrapFewShot
from optimizers.demos.labeled import LabeledFewShot
from optimizers.demos.nearest import KNNDemos
from optimizers.demos.random_search import BootstrapRandomSearch
from optimizers.evaluation.candidate import Candidate
from optimizers.evaluation.pareto import FrontPoint, Objective
from optimizers.events import (
    Estimated,
    Event,
    Finished,
    Message,
    Progress,
    SpendUpdated,
    StageAdvanced,
    StageStarted,
    Tried,
    event_to_json,
)
from optimizers.instructions.asking import Proposing
from optimizers.instructions.hygiene import Hygiene
from optimizers.labelling.choice import LabelChoice, RowToLabel
from optimizers.labelling.label_next import label_next
from optimizers.labelling.label_weakly import WeakLabels, label_weakly
from optimizers.models.frugal import FrugalCascade
from optimizers.models.judge_align import JudgeAlign
from optimizers.models.router import ModelRouter, with_model
from optimizers.models.selector import LLMSelector
from optimizers.models.votes import VoteSize
from optimizers.porting.port import aport, port
from optimizers.porting.ported import Ported
from optimizers.porting.recompile import arecompile, recompile
from optimizers.preflight import Preflight, StageCost
from optimizers.reflective.evolve import Evolve
from optimizers.reflective.gepa import GEPA
from optimizers.report.compiled import Compiled
from optimizers.report.report import CompileReport
from optimizers.search.changes import Structuring
from optimizers.search.mipro import MIPRO, Demonstrating, Searching
from optimizers.stats.certificate import ACCEPTED, Accept, Certificate

# Optimizers by their names on the command line.
MEMBERS: Mapping[str, type[Optimizer]] = MappingProxyType(
    {
        "compiler": Compiler,
        "labeled": LabeledFewShot,
        "knn": KNNDemos,
        "bootstrap": BootstrapFewShot,
        "random-search": BootstrapRandomSearch,
        "mipro": MIPRO,
        "gepa": GEPA,
        "evolve": Evolve,
        "selector": LLMSelector,
        "cascade": FrugalCascade,
        "router": ModelRouter,
        "votes": VoteSize,
        "judge-align": JudgeAlign,
    }
)

__all__ = [
    "ACCEPTED",
    "Accept",
    "Tried",
    "BootstrapFewShot",
    "BootstrapRandomSearch",
    "Candidate",
    "Certificate",
    "CompileReport",
    "Compiled",
    "Compiler",
    "Demonstrating",
    "Event",
    "Evolve",
    "Finished",
    "Estimated",
    "FrontPoint",
    "FrugalCascade",
    "GEPA",
    "Hygiene",
    "JudgeAlign",
    "KNNDemos",
    "LLMSelector",
    "LabelChoice",
    "LabeledFewShot",
    "MEMBERS",
    "MIPRO",
    "ModelRouter",
    "Message",
    "Objective",
    "Optimizer",
    "Ported",
    "Preflight",
    "Progress",
    "Proposing",
    "RowToLabel",
    "Searching",
    "Chain",
    "SpendUpdated",
    "StageStarted",
    "StageAdvanced",
    "StageCost",
    "Structuring",
    "VoteSize",
    "WeakLabels",
    "aport",
    "arecompile",
    "event_to_json",
    "label_next",
    "label_weakly",
    "port",
    "recompile",
    "with_model",
]

# Optimizers of DSPy, and what there is here instead.
_ELSEWHERE: Words = MappingProxyType(
    {
        "BetterTogether": "write Chain(first, second)",
        "BootstrapFinetune": "a compile sets prompts and models, not weights",
        "BootstrapFewShotWithRandomSearch": "write BootstrapRandomSearch()",
        "BootstrapRS": "write BootstrapRandomSearch()",
        "Budget": "write lp.Budget(calls=...)",
        "COPRO": "write Compiler()",
        "Ensemble": "write lp.Vote(program, k=...); VoteSize() finds k",
        "InferRules": "write Compiler()",
        "KNNFewShot": "write KNNDemos()",
        "MIPROv2": "write MIPRO(), or Compiler()",
        "SIMBA": "write Compiler()",
        "Teleprompter": "derive from Optimizer",
    }
)


def __getattr__(name: str) -> Any:
    raise missing_export("optimizers", name, _ELSEWHERE, __all__)
