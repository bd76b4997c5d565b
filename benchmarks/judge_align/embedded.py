"""A judge on an embedded model, which learns a hidden taste from verdicts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any

import langprog as lp
from benchmarks.judge_align.agreement import BASE, format_agreements, measure_agreement
from benchmarks.measured import Checkpoint
from benchmarks.tasks.preferences import Prefer, make_pairs
from langprog.evaluation import exact, kappa
from langprog.lm import LanguageModel, MemoryCache
from optimizers import BootstrapRandomSearch, JudgeAlign, Optimizer

MODEL = "pocket/small"
LABELS = (40, 80, 160)
FRESH, CALLS = 50, 400
# The metric by the optimizer that is measured with it.
MEMBERS: Mapping[str, tuple[Callable[[], Optimizer], Callable[[str], Any]]] = MappingProxyType(
    {
        "JudgeAlign, kappa": (JudgeAlign, kappa),
        "BootstrapRandomSearch, exact": (BootstrapRandomSearch, exact),
    }
)
Connect = Callable[[str], LanguageModel]


def connect_embedded(name: str) -> LanguageModel:
    """Return an embedded model with an empty cache."""
    return lp.LM(name, cache=MemoryCache())


def run_judge(name: str, labels: int, seed: int, connect: Connect) -> dict[str, Any]:
    """Compile a judge, and return its agreement with the labels of fresh pairs.

    Args:
        name: One of ``MEMBERS``, or that of the uncompiled judge.
        labels: How many labels the compile has, for all of its parts.
        seed: Of the taste, of the pairs and of the compile.
        connect: Makes the model.
    """
    pairs = make_pairs(max(LABELS) + FRESH, seed)
    judge: lp.Module = lp.Predict(Prefer)
    outcome: dict[str, Any] = {}
    with lp.using(lm=connect(MODEL)):
        if name != BASE:
            make, metric = MEMBERS[name]
            compiled = make().compile(
                judge,
                pairs[FRESH : FRESH + labels],
                metric=metric("better"),
                budget=lp.Budget(calls=CALLS),
                seed=seed,
                progress=ignore,
            )
            judge = compiled.program
            outcome = {
                "verdict": compiled.certificate.verdict,
                "n": compiled.certificate.n,
                "calls": compiled.report.paid.calls,
            }
        agreement = measure_agreement(judge, pairs[:FRESH])
    return {**outcome, "right": agreement.right, "same": agreement.same}


def ignore(event: object) -> None:
    """Show nothing."""


def format_embedded(seeds: range, kept: Checkpoint, connect: Connect = connect_embedded) -> str:
    """Return the section."""

    def measure(name: str, labels: int) -> list[dict[str, Any]]:
        return [
            kept.measure_once(
                f"embedded {name} {labels} {seed}", partial(run_judge, name, labels, seed, connect)
            )
            for seed in seeds
        ]

    agreements = format_agreements(measure, MEMBERS, LABELS)
    return (
        f"{MODEL}, {len(seeds)} seeds, each with a taste of its own; labels are those of the "
        f"generator, which stand for people's. A compile divides the labels into train, "
        f"validation and holdout itself, and has {CALLS} calls. Agreement: on {FRESH} fresh "
        f"pairs, each asked in both orders; chance is 50 %.\n\n{agreements}"
    )
