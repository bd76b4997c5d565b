"""Measure how often a compile claims a gain that does not exist, and its interval's coverage.

Usage: python -m benchmarks.null [--compiles 400] [--workers 2] [--checkpoint FILE] [--only NAME]

The model is simulated: it is right with the same probability for every prompt, decided by a digest
of prompt, seed and model. So no candidate is truly better than the input, and every certified gain
is a false one; members that choose between models have a second one, as good and as dear. For
VoteSize, half of the inputs are hard: the model is wrong there as often as it is right on the
others, so that a vote of any size is right on half of all. At most
5 % of compiles may claim a gain, and the two bounds of the difference, at 4 and 5 %, should hold 0
in at least 91 % of them. ``null_pairs`` does the same for every objective, for graded scores,
clusters and holdouts of 5 to 500 inputs.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import sys
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import langprog as lp
from benchmarks.measured import Checkpoint, machine, publish, publish_row, table, versions
from benchmarks.null_pairs import CASES, TOLERANCE, compile_pair
from langprog.evaluation import exact
from langprog.lm import Completion, Usage
from langprog.pocket.training.evaluate import Result
from langprog.signature import FieldSpec, SignatureSpec
from optimizers import (
    GEPA,
    MIPRO,
    BootstrapFewShot,
    BootstrapRandomSearch,
    Compiler,
    FrugalCascade,
    KNNDemos,
    LabeledFewShot,
    LLMSelector,
    ModelRouter,
    Optimizer,
    VoteSize,
)

LABELS = ("red", "green", "blue", "white")
TRAIN, VALIDATION, HOLDOUT = 60, 60, 100
MEMBERS: dict[str, Callable[[lp.ScriptedLM], Optimizer]] = {
    "Compiler": lambda other: Compiler(),
    "MIPRO light": lambda other: MIPRO(auto="light"),
    "GEPA": lambda other: GEPA(),
    "BootstrapRandomSearch": lambda other: BootstrapRandomSearch(),
    "BootstrapFewShot": lambda other: BootstrapFewShot(),
    "LabeledFewShot": lambda other: LabeledFewShot(),
    "KNNDemos": lambda other: KNNDemos(),
    "LLMSelector": lambda other: LLMSelector(models=[other]),
    "FrugalCascade": lambda other: FrugalCascade(signal="check"),
    "ModelRouter": lambda other: ModelRouter(),
    "VoteSize": lambda other: VoteSize(),
}
# Members that fit a program of several models, or of several samples.
FITTED: dict[str, Callable[[lp.Module, list[lp.ScriptedLM]], lp.Module]] = {
    "FrugalCascade": lambda program, models: lp.Cascade.over(program, models, check=Uninformed()),
    "ModelRouter": lp.Route.over,
    "VoteSize": lambda program, models: lp.Vote(program, k=5),
}
ACCURACIES = (0.3, 0.5, 0.7, 0.9)
# Compiles that are kept together, so that a stopped run loses few.
CHUNK = 40


class Uninformed(lp.Module):
    """A judge that looks at nothing which says whether an answer is right."""

    signature = "note -> good: bool"

    def forward(self, **inputs: Any) -> dict[str, bool]:
        """Judge an answer by its input alone."""
        return {"good": len(inputs["note"]) % 2 == 0}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a compile claimed.

    Args:
        certified: Whether it claimed a gain.
        compared: Whether it had a candidate that differs from the input.
        covered: Whether the interval of the difference holds 0.
    """

    certified: bool
    compared: bool
    covered: bool


def make_model(accuracy: float, seed: int, name: str) -> lp.ScriptedLM:
    """Return a model that is right with probability ``accuracy``, whatever the prompt."""

    def answer(request: lp.Request) -> str | Completion:
        text = "\n".join(message.text for message in request.messages)
        digest = hashlib.sha256(f"{name}/{seed}/{text}".encode()).digest()
        if "[[instruction]]" in text or "[[summary]]" in text:
            field = "instruction" if "[[instruction]]" in text else "summary"
            return f"[[{field}]]\nChoose the colour with care, way {digest[0]}."
        truth = request.messages[-1].text.rsplit(" ", 1)[-1].strip()
        right = digest[1] * 256 + digest[2] < accuracy * 65536
        wrong = [label for label in LABELS if label != truth]
        text = f"[[colour]]\n{truth if right else wrong[digest[3] % len(wrong)]}"
        return Completion((text,), name, Usage(100, 5), dollars=0.001)

    return lp.ScriptedLM(answer, name=name)


def make_sampled_model(accuracy: float, seed: int, name: str) -> lp.ScriptedLM:
    """Return a model whose samples differ, and whose votes are right on half of all inputs.

    On easy inputs each sample is right with probability ``accuracy``, on hard ones, as many,
    with probability ``1 - accuracy``; all wrong samples agree.
    """

    def answer(request: lp.Request) -> Completion:
        text = request.messages[-1].text
        truth = text.rsplit(" ", 1)[-1].strip()
        hard = hashlib.sha256(f"{seed}/{text}".encode()).digest()[0] % 2
        sample = f"{name}/{seed}/{request.sampling.seed}/{text}"
        digest = hashlib.sha256(sample.encode()).digest()
        chance = 1 - accuracy if hard else accuracy
        right = digest[1] * 256 + digest[2] < chance * 65536
        wrong = LABELS[(LABELS.index(truth) + 1) % len(LABELS)]
        reply = f"[[colour]]\n{truth if right else wrong}"
        return Completion((reply,), name, Usage(100, 5), dollars=0.001)

    return lp.ScriptedLM(answer, name=name)


def compile_once(job: tuple[str, int]) -> Outcome:
    """Compile once against a simulated model, and return what the certificate claims."""
    member, seed = job
    rng = random.Random(f"{member}/{seed}")
    accuracy = ACCURACIES[seed % len(ACCURACIES)]
    signature = SignatureSpec(
        "Colour",
        "Say the colour.",
        (FieldSpec("note", "input"), FieldSpec("colour", "output", Literal[LABELS])),
    )
    rows = []
    for number in range(TRAIN + VALIDATION + HOLDOUT):
        # The text contains the truth, but only the simulated model may use it.
        label = rng.choice(LABELS)
        rows.append(lp.Example(note=f"item {number} of {seed} {label}", colour=label))
    program: lp.Module = lp.Predict(signature)
    make = make_sampled_model if member == "VoteSize" else make_model
    model, other = (make(accuracy, seed, f"simulated/{name}") for name in ("null", "other"))
    if member in FITTED:
        program = FITTED[member](program, [other, model])
    with lp.using(lm=model):
        compiled = MEMBERS[member](other).compile(
            program,
            rows[:TRAIN],
            metric=exact("colour"),
            valset=rows[TRAIN : TRAIN + VALIDATION],
            holdout=rows[TRAIN + VALIDATION :],
            seed=seed,
            progress=lambda event: None,
        )
    certificate = compiled.certificate
    compared = certificate.n > 0 and bool(compiled.candidate.parameters)
    return Outcome(
        certificate.verdict == "certified",
        compared,
        compared and certificate.low <= 0.0 <= certificate.high,
    )


def format_share(right: int, count: int) -> str:
    """Return a share with its interval."""
    if not count:
        return "-"
    low, high = Result("", right, count).interval
    return f"{right / count:.3f} [{low:.3f}, {high:.3f}]"


def measure_optimizer(
    member: str, kept: Checkpoint, compiles: int, workers: int
) -> tuple[str, ...]:
    """Compile many times with one optimizer where nothing can be gained; return its row."""
    outcomes: list[Outcome] = []
    for first in range(0, compiles, CHUNK):
        jobs = [(member, seed) for seed in range(first, min(first + CHUNK, compiles))]

        def measure(jobs: Sequence[tuple[str, int]] = jobs) -> list[dict[str, bool]]:
            with ProcessPoolExecutor(workers) as pool:
                return list(map(asdict, pool.map(compile_once, jobs, chunksize=4)))

        kept_chunk = kept.measure_once(f"{member}, {first} to {jobs[-1][1]}", measure)
        outcomes += [Outcome(**outcome) for outcome in kept_chunk]
    compared = [outcome for outcome in outcomes if outcome.compared]
    return (
        member,
        str(len(outcomes)),
        format_share(sum(outcome.certified for outcome in outcomes), len(outcomes)),
        str(len(compared)),
        format_share(sum(outcome.covered for outcome in compared), len(compared)),
    )


def measure_optimizers(kept: Checkpoint, compiles: int, workers: int) -> str:
    """Compile with every optimizer that claims."""
    head = ("optimizer", "compiles", "false gains certified", "compared", "bounds hold 0")
    rows = [measure_optimizer(member, kept, compiles, workers) for member in MEMBERS]
    return table([head, *rows])


def measure_pairs(kept: Checkpoint, compiles: int, workers: int) -> str:
    """Compile between two models, for every objective, at the edge of its claim."""
    rows = [("two models", "objective", "inputs", "certified", "found worse", "bounds hold")]
    for number, size in (
        (number, size) for number, case in enumerate(CASES) for size in case.sizes
    ):

        def measure(number: int = number, size: int = size) -> tuple[str, ...]:
            case = CASES[number]
            jobs = [(number, size, seed) for seed in range(compiles)]
            with ProcessPoolExecutor(workers) as pool:
                outcomes = list(pool.map(compile_pair, jobs, chunksize=16))
            # Worse is the truth where the tolerance is lost.
            worse = sum(outcome.worse for outcome in outcomes)
            return (
                case.name,
                case.objective,
                str(size),
                format_share(sum(outcome.certified for outcome in outcomes), compiles),
                "-" if case.truth else format_share(worse, compiles),
                format_share(sum(outcome.covered for outcome in outcomes), compiles),
            )

        name = f"{CASES[number].name}, {CASES[number].objective}, {size}, {compiles}"
        rows.append(tuple(kept.measure_once(name, measure)))
    return table(rows)


def main(arguments: list[str]) -> None:
    """Compile many times and publish."""
    parser = argparse.ArgumentParser(description=__doc__, prog="benchmarks.null")
    parser.add_argument("--compiles", type=int, default=400, help="for each line")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--checkpoint", type=Path, help="by default in the temporary folder")
    parser.add_argument("--only", choices=tuple(MEMBERS), help="one optimizer: its row alone")
    options = parser.parse_args(arguments)
    kept = Checkpoint(options.checkpoint or Path(tempfile.gettempdir()) / "langprog-null.json")
    if options.only:
        row = measure_optimizer(options.only, kept, options.compiles, options.workers)
        command = f"python -m benchmarks.null --compiles {options.compiles} --only {options.only}"
        about = f"{machine()}; {versions('langprog', 'optuna')}; seeds 0 to {options.compiles - 1}"
        publish_row("null", row, f"`{command}`; {about}.")
        return
    optimizers = measure_optimizers(kept, options.compiles, options.workers)
    pairs = measure_pairs(kept, options.compiles, options.workers)
    publish(
        "null",
        "# Compiles without a gain to find\n\n"
        f"`python -m benchmarks.null --compiles {options.compiles}`; {machine()}; "
        f"{versions('langprog', 'optuna')}; seeds 0 to {options.compiles - 1}; 95 % Wilson "
        "intervals.\n\n"
        "## Every optimizer\n\nSimulated models that are right in 30, 50, 70 or 90 % of calls "
        f"whatever the prompt says; {TRAIN} train, {VALIDATION} validation, {HOLDOUT} holdout "
        "examples. The level of a first attempt is 4 %; `bounds hold 0` counts the compiles, of "
        "those with a candidate, whose lower and upper bound (at 4 and 5 %, so 91 % together at "
        f"the least) hold the true difference.\n\n{optimizers}\n\n"
        "## Every objective\n\nTwo simulated models, each claim just false: equal, or worse by "
        f"the tolerance of {TOLERANCE}. A certificate is a false one.\n\n{pairs}",
    )


if __name__ == "__main__":
    main(sys.argv[1:])
