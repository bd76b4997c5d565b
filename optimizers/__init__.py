"""Optimizers: one contract, one member a file.

``Optimizer.compile(program, trainset, *, metric, ...)`` is the same for every member; a member is
a frozen dataclass of knobs with one method, ``search``. What surrounds every search (split,
journal, budget, holdout, certificate) is in ``compilation``; what a search may use is in ``run``.

- ``bootstrap/``: demonstrations from labels and from good runs.
- ``instructions/``: proposals for instructions, and the gate that they pass.
- ``bayesian/``: MIPRO: instructions, demonstrations and models, searched together.
- ``models/``: which model each module asks: assignments, cascades, routes, votes.
- ``reflective/``: GEPA: instructions evolve from mistakes.
- ``compiler``: the flagship: rounds of all of this, without a knob.
- ``sequence``: one member after another.
- ``candidate``, ``space``, ``scoring``, ``rows``, ``rounds``: what searches are made of.
- ``journal``, ``meter``, ``allowance``: what makes them resume, choose the same, and stop in time.
- ``front``: what nothing else beats in quality, price and latency.
- ``certificate``, ``evidence``, ``report``, ``compiled``: what comes out.
- ``forecast``, ``preflight``: what a compile will take and can show, said before it starts.
- ``progress``: what a compile tells while it works.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from optimizers.base import Optimizer
from optimizers.bayesian.mipro import MIPRO, Demonstrating, Searching
from optimizers.bootstrap.few_shot import BootstrapFewShot
from optimizers.bootstrap.labeled import LabeledFewShot
from optimizers.bootstrap.random_search import BootstrapRandomSearch
from optimizers.candidate import Candidate
from optimizers.certificate import Certificate
from optimizers.compiled import Compiled
from optimizers.compiler import Compiler
from optimizers.front import FrontPoint, Objective
from optimizers.instructions.hygiene import Hygiene
from optimizers.instructions.proposer import Proposing
from optimizers.models.frugal import FrugalCascade
from optimizers.models.router import ModelRouter, with_model
from optimizers.models.selector import LLMSelector
from optimizers.models.votes import VoteSize
from optimizers.preflight import Preflight
from optimizers.progress import (
    BestSoFar,
    Event,
    Finished,
    Foreseen,
    Noted,
    Progress,
    Spent,
    StageStarted,
    Stepped,
    event_to_json,
)
from optimizers.reflective.gepa import GEPA
from optimizers.report import CompileReport
from optimizers.sequence import Sequence

# Members by the name that a command line uses.
MEMBERS: Mapping[str, type[Optimizer]] = MappingProxyType(
    {
        "compiler": Compiler,
        "labeled": LabeledFewShot,
        "bootstrap": BootstrapFewShot,
        "random-search": BootstrapRandomSearch,
        "mipro": MIPRO,
        "gepa": GEPA,
        "selector": LLMSelector,
        "cascade": FrugalCascade,
        "router": ModelRouter,
        "votes": VoteSize,
    }
)

__all__ = [
    "BestSoFar",
    "BootstrapFewShot",
    "BootstrapRandomSearch",
    "Candidate",
    "Certificate",
    "CompileReport",
    "Compiled",
    "Compiler",
    "Demonstrating",
    "Event",
    "Finished",
    "Foreseen",
    "FrontPoint",
    "FrugalCascade",
    "GEPA",
    "Hygiene",
    "LLMSelector",
    "LabeledFewShot",
    "MEMBERS",
    "MIPRO",
    "ModelRouter",
    "Noted",
    "Objective",
    "Optimizer",
    "Preflight",
    "Progress",
    "Proposing",
    "Searching",
    "Sequence",
    "Spent",
    "StageStarted",
    "Stepped",
    "VoteSize",
    "event_to_json",
    "with_model",
]
