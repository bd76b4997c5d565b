"""The members that the contract suite is run on, small enough to be quick."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import langprog as lp
from langprog.signature import signature_of
from optimizers import (
    GEPA,
    MIPRO,
    BootstrapFewShot,
    BootstrapRandomSearch,
    Chain,
    Compiler,
    Evolve,
    FrugalCascade,
    JudgeAlign,
    KNNDemos,
    LabeledFewShot,
    LLMSelector,
    ModelRouter,
    Optimizer,
    Searching,
    Structuring,
)
from tests.optimizers.simulated import Triage, Urgency, answers


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


def _evolve(*, concurrency: int = 64) -> Optimizer:
    return Evolve(rounds=6, concurrency=concurrency)


def _compiler(*, concurrency: int = 64) -> Optimizer:
    return Compiler(rounds=2, concurrency=concurrency)


def _judge_align(*, concurrency: int = 64) -> Optimizer:
    return JudgeAlign(
        compiler=Compiler(rounds=1, structuring=Structuring(share=0.0)), concurrency=concurrency
    )


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
        "evolve": _evolve,
        "compiler": _compiler,
        "judge_align": _judge_align,
        "selector": _selector,
        "cascade": _cascade,
        "router": _router,
        "sequence": _sequence,
    }
)

# Members that set texts of a user's own modules.
OF_TEXTS = frozenset({"evolve"})
# Members that may take another model, whatever the prompt.
OF_MODELS = frozenset({"selector", "cascade", "router"})


class Told(lp.Module):
    """Triage by a policy."""

    signature = "ticket -> team, urgent: bool"

    def __init__(self, policy: str = "Do your best.") -> None:
        self.policy = policy
        self.team = lp.Predict(signature_of(Triage).with_field("policy", lp.Input()))
        self.urgent = lp.Predict(signature_of(Urgency).with_field("policy", lp.Input()))

    def own_parameters(self) -> dict[str, lp.Parameter]:
        return {"policy": lp.Parameter("text", self.policy)}

    async def aforward(self, ticket: str) -> dict[str, Any]:
        team = (await self.team.acall(ticket=ticket, policy=self.policy)).team
        urgent = await self.urgent.acall(ticket=ticket, team=team, policy=self.policy)
        return {"team": team, "urgent": urgent.urgent}


def fitting(optimizer: Optimizer, program: lp.Module) -> lp.Module:
    """Return a program as this member needs it.

    With cascades or routes around its predictors, or with a text of its own.
    """
    if isinstance(optimizer, Evolve):
        return Told()
    if not isinstance(optimizer, (FrugalCascade, ModelRouter)):
        return program
    better = _better()

    def around(one: lp.Module) -> lp.Module:
        steps = [lp.Cascade.over(one, [better]).steps[0], one]
        if isinstance(optimizer, ModelRouter):
            return lp.Route(steps)
        return lp.Cascade(steps, signal=lp.signals.Agreement(k=2))

    return program.with_children({name: around(one) for name, one in program.children().items()})
