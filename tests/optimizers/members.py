"""The members that the contract suite is run on, small enough to be quick."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from optimizers import (
    MIPRO,
    BootstrapFewShot,
    BootstrapRandomSearch,
    LabeledFewShot,
    Optimizer,
    Searching,
    Sequence,
)


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


MEMBERS: Mapping[str, Callable[..., Optimizer]] = MappingProxyType(
    {
        "labeled": LabeledFewShot,
        "few_shot": BootstrapFewShot,
        "random_search": _random_search,
        "mipro": _mipro,
        "sequence": _sequence,
    }
)
