"""The members that the contract suite is run on, small enough to be quick."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import langprog as lp
from optimizers import (
    GEPA,
    MIPRO,
    BootstrapFewShot,
    BootstrapRandomSearch,
    Compiler,
    LabeledFewShot,
    LLMSelector,
    Optimizer,
    Searching,
    Sequence,
)
from tests.optimizers.simulated import answers


def _mipro(*, concurrency: int = 64) -> Optimizer:
    return MIPRO(
        instructions=3, searching=Searching(trials=8, finalists=2), concurrency=concurrency
    )


def _sequence(*, concurrency: int = 64) -> Optimizer:
    return Sequence(
        BootstrapFewShot(bootstrapped=3, labeled=2),
        MIPRO(instructions=3, searching=Searching(trials=4, finalists=1)),
        concurrency=concurrency,
    )


def _random_search(*, concurrency: int = 64) -> Optimizer:
    return BootstrapRandomSearch(sets=4, most=4, concurrency=concurrency)


def _gepa(*, concurrency: int = 64) -> Optimizer:
    return GEPA(rounds=8, concurrency=concurrency)


def _compiler(*, concurrency: int = 64) -> Optimizer:
    return Compiler(rounds=2, concurrency=concurrency)


def _selector(*, concurrency: int = 64) -> Optimizer:
    better = lp.ScriptedLM(answers(base=0.75), name="scripted/better")
    return LLMSelector(models=[better], concurrency=concurrency)


MEMBERS: Mapping[str, Callable[..., Optimizer]] = MappingProxyType(
    {
        "labeled": LabeledFewShot,
        "few_shot": BootstrapFewShot,
        "random_search": _random_search,
        "mipro": _mipro,
        "gepa": _gepa,
        "compiler": _compiler,
        "selector": _selector,
        "sequence": _sequence,
    }
)
