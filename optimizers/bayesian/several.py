"""Votes and cascades of a program as choices, beside its instructions and demonstrations."""

from __future__ import annotations

from typing import Any

from langprog import BestOf, Cascade, Module, Vote
from langprog.modules import Learned
from optimizers.space import Choice

SIZES = (1, 3, 5, 9)
THRESHOLDS = (0.5, 0.75, 0.9)


def several_choices(program: Module) -> list[Choice]:
    """Return how many samples each vote may take, and which tiers each cascade may have.

    Args:
        program: The program; a choice's first value is what it has now.
    """
    found = []
    for path, module in program.named_modules().items():
        if isinstance(module, (Vote, BestOf)):
            sizes = [module.k, *(k for k in SIZES if k != module.k)]
            found.append(Choice(f"{path}.k", sizes, [f"k={k}" for k in sizes]))
        elif isinstance(module, Cascade):
            found.append(_tiers(path, module))
    return found


def _tiers(path: str, cascade: Cascade) -> Choice:
    """Return each step alone, and all in order at a few thresholds if their signal is ready."""
    steps = range(len(cascade.steps))
    values: list[Any] = [[tier.to_json() for tier in cascade.tiers]]
    values += [[[step, None]] for step in steps]
    signal = cascade.signal
    ready = not isinstance(signal, Learned) or len(signal.rules) == len(cascade.steps)
    if ready and len(cascade.steps) > 1:
        *early, last = steps
        values += [[*([step, one] for step in early), [last, None]] for one in THRESHOLDS]
    distinct = [value for at, value in enumerate(values) if value not in values[:at]]
    return Choice(f"{path}.tiers", distinct, [_said(value) for value in distinct])


def _said(tiers: list[Any]) -> str:
    return " > ".join(
        f"step {step}" + ("" if threshold is None else f" from {threshold:.3g}")
        for step, threshold in tiers
    )
