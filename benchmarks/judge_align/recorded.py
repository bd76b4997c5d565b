"""Recorded judges: a compile chooses among the 65 configurations of LLMBar."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

import langprog as lp
from benchmarks.estimates.recorded import Verdicts, load_verdicts
from benchmarks.judge_align.agreement import BASE, TURNED, format_agreements, measure_agreement
from benchmarks.judge_align.embedded import LABELS, ignore
from benchmarks.measured import Checkpoint
from benchmarks.tasks.preferences import Prefer
from langprog.evaluation import exact, kappa
from langprog.lm import Request
from optimizers import Compiler, JudgeAlign, Optimizer, Proposing

START = "PaLM2/Vanilla"
CALLS = 1500
INSTRUCTION = lp.Predict(Prefer).signature.instruction
ASKED = re.compile(r"answer ([12]) of (\d+)")
NAMES = {"1": "first", "2": "second"}


def make_pair(data: Verdicts, row: int) -> lp.Example:
    """Return a comparison; the answers are named, as the recording has no use for their words."""
    return lp.Example(
        first=f"answer 1 of {row}", second=f"answer 2 of {row}", better=NAMES[data.labels[row]]
    )


def make_judge(data: Verdicts, name: str) -> lp.ScriptedLM:
    """Return a model that gives the recorded verdicts of a judge, in the order of the question."""
    recorded = data.by_config(name)

    def reply(request: Request) -> str:
        # The last message may be a request to repair a reply, without the pair.
        asked = [pair for each in request.messages if (pair := ASKED.search(each.text))][-1]
        turned = asked[1] == "2"
        verdict = recorded[int(asked[2])][turned]
        if verdict not in NAMES:
            return "no verdict"
        said = NAMES[verdict]  # of the answers as they were numbered
        return f"[[better]]\n{TURNED[said] if turned else said}"

    return lp.ScriptedLM(reply, name=f"llmbar/{name}")


def _search(models: list[lp.ScriptedLM]) -> Compiler:
    # A recording does not depend on the instruction, so none but its own is tried.
    return Compiler(models=models, proposing=Proposing(written={"predict": [INSTRUCTION]}))


MEMBERS: Mapping[str, tuple[Callable[[Compiler], Optimizer], Callable[[str], Any]]] = (
    MappingProxyType(
        {
            "JudgeAlign, kappa": (lambda search: JudgeAlign(compiler=search), kappa),
            "Compiler, exact": (lambda search: search, exact),
        }
    )
)


def run_recorded(folder: Path, name: str, labels: int, seed: int) -> dict[str, Any]:
    """Compile a judge on some comparisons, and return its agreement on the others.

    Args:
        folder: The folder of the public data sets.
        name: One of ``MEMBERS``, or that of the uncompiled judge.
        labels: How many labels the compile has, for all of its parts.
        seed: Decides which comparisons are labelled, and the compile.
    """
    data = load_verdicts(folder)
    order = random.Random(f"judges/{seed}").sample(range(len(data.labels)), len(data.labels))
    fresh = [make_pair(data, row) for row in order[max(LABELS) :]]
    models = {each: make_judge(data, each) for each in data.configs}
    judge: lp.Module = lp.Predict(Prefer, model=models[START])
    outcome: dict[str, Any] = {}
    if name != BASE:
        make, metric = MEMBERS[name]
        compiled = make(_search([lm for each, lm in models.items() if each != START])).compile(
            judge,
            [make_pair(data, row) for row in order[:labels]],
            metric=metric("better"),
            budget=lp.Budget(calls=CALLS),
            seed=seed,
            progress=ignore,
        )
        judge = compiled.program
        chosen = compiled.candidate.parameters.get("predict.model", START)
        outcome = {
            "verdict": compiled.certificate.verdict,
            "calls": compiled.report.paid.calls,
            "chosen": str(chosen),
        }
    agreement = measure_agreement(judge, fresh)
    return {**outcome, "right": agreement.right, "same": agreement.same}


def format_recorded(folder: Path, seeds: range, kept: Checkpoint) -> str:
    """Return the section."""

    def measure(name: str, labels: int) -> list[dict[str, Any]]:
        return [
            kept.measure_once(
                f"recorded {name} {labels} {seed}",
                partial(run_recorded, folder, name, labels, seed),
            )
            for seed in seeds
        ]

    agreements = format_agreements(measure, MEMBERS, LABELS)
    return (
        f"LLMBar, {len(seeds)} random choices of labelled comparisons; {CALLS:,} calls a compile, "
        f"which begins with {START}. Agreement: on the comparisons that no compile saw, in both "
        "recorded orders. Only the judge is chosen: recorded verdicts do not depend on "
        "instructions or demonstrations, which are searched all the same, so that a part of the "
        "calls is wasted, and BootstrapRandomSearch has nothing to find here."
        f"\n\n{agreements}"
    )
