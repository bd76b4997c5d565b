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
    Chain,
    Compiler,
    FrugalCascade,
    KNNDemos,
    LabeledFewShot,
    LLMSelector,
    ModelRouter,
    Optimizer,
    Searching,
)
from tests.optimizers.simulated import answers


def _mipro(*, concurrency: int = 64) -> Optimizer:
    return MIPRO(
        instructions=3, searching=Searching(trials=8, finalists=2), concurrency=concurrency
    )


def _sequence(*, concurrency: int = 64) -> Optimizer:
    return Chain(
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


def _better() -> lp.ScriptedLM:
    return lp.ScriptedLM(answers(base=0.75), name="scripted/better")


def _cascade(*, concurrency: int = 64) -> Optimizer:
    return FrugalCascade(concurrency=concurrency)


def _router(*, concurrency: int = 64) -> Optimizer:
    return ModelRouter(clusters=(1, 2), concurrency=concurrency)


def _selector(*, concurrency: int = 64) -> Optimizer:
    return LLMSelector(models=[_better()], concurrency=concurrency)


MEMBERS: Mapping[str, Callable[..., Optimizer]] = MappingProxyType(
    {
        "labeled": LabeledFewShot,
        "knn": KNNDemos,
        "few_shot": BootstrapFewShot,
        "random_search": _random_search,
        "mipro": _mipro,
        "gepa": _gepa,
        "compiler": _compiler,
        "selector": _selector,
        "cascade": _cascade,
        "router": _router,
        "sequence": _sequence,
    }
)

# Members that may take another model, whatever the prompt.
OF_MODELS = frozenset({"selector", "cascade", "router"})


def fitting(optimizer: Optimizer, program: lp.Module) -> lp.Module:
    """Return a program as this member needs it: with cascades or routes around its predictors."""
    if not isinstance(optimizer, (FrugalCascade, ModelRouter)):
        return program
    better = _better()

    def around(one: lp.Module) -> lp.Module:
        steps = [lp.Cascade.over(one, [better]).steps[0], one]
        if isinstance(optimizer, ModelRouter):
            return lp.Route(steps)
        return lp.Cascade(steps, signal=lp.signals.Agreement(k=2))

    return program.with_children({name: around(one) for name, one in program.children().items()})
