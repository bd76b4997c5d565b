"""Compiles at the edge of what each claim denies: any certificate given there is a false one.

LLMSelector chooses between two simulated models. On the examples that steer the search the second
one is better, so that it is chosen; on the holdout the two are as a case says, with the claim just
false: not better, worse by exactly the tolerance, or as expensive or slow on most queries.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist

import langprog as lp
from langprog.lm import Completion, Usage
from optimizers import LLMSelector, Objective

TOLERANCE = 0.05
TRAIN, VALIDATION = 8, 20
# Score, dollars and seconds of an answer, from uniform draws that belong to (case, row).
Draw = Callable[[Callable[[str], float]], tuple[float, float, float]]


@dataclass(frozen=True, slots=True)
class Case:
    """A pair of models with a claim that is just false.

    Args:
        name: What is the matter.
        objective: What is asked for.
        before: What the first model does on a holdout row.
        after: What the second model does.
        truth: Mean difference in score.
        sizes: Distinct holdout inputs.
        copies: Rows of each input.
    """

    name: str
    objective: Objective
    before: Draw
    after: Draw
    truth: float
    sizes: tuple[int, ...]
    copies: int = 1


@dataclass(frozen=True, slots=True)
class PairOutcome:
    """What a compile claimed.

    Args:
        certified: Whether the certificate was given.
        worse: Whether the second model was found worse.
        covered: Whether both bounds hold the true difference.
    """

    certified: bool
    worse: bool
    covered: bool


def _even(draw: Callable[[str], float]) -> tuple[float, float, float]:
    return float(draw("right") < 0.5), 0.01, 1.0


def _graded(draw: Callable[[str], float]) -> tuple[float, float, float]:
    return math.floor(5 * draw("grade")) / 4, 0.01, 1.0


def _constant(score: float, dollars: float = 0.01, seconds: float = 1.0) -> Draw:
    return lambda draw: (score, dollars, seconds)


def _rarely_zero(draw: Callable[[str], float]) -> tuple[float, float, float]:
    return (0.0 if draw("rare") < 0.05 else 1.0), 0.01, 1.0


def _losing(draw: Callable[[str], float]) -> tuple[float, float, float]:
    return float(draw("right") >= TOLERANCE), 0.001, 0.1


def _any_price(draw: Callable[[str], float]) -> tuple[float, float, float]:
    return 1.0, 0.01 * _lognormal(draw("price")), 1.0


def _any_time(draw: Callable[[str], float]) -> tuple[float, float, float]:
    return 1.0, 0.01, _lognormal(draw("time"))


def _lognormal(level: float) -> float:
    return math.exp(0.5 * NormalDist().inv_cdf(min(max(level, 1e-9), 1 - 1e-9)))


ALL = (5, 30, 100, 500)
CASES = (
    Case("0/1, equal", "quality", _even, _even, 0.0, ALL),
    Case("graded, equal", "quality", _graded, _graded, 0.0, ALL),
    Case("many small gains, few large losses", "quality", _constant(0.95), _rarely_zero, 0.0, ALL),
    Case("0/1, equal, each input four times", "quality", _even, _even, 0.0, (30,), 4),
    Case("loses the tolerance, cheaper", "cost", _constant(1.0), _losing, -TOLERANCE, ALL),
    Case("loses the tolerance, quicker", "latency", _constant(1.0), _losing, -TOLERANCE, ALL),
    Case("as good, as expensive", "cost", _any_price, _any_price, 0.0, (100, 500)),
    Case("as good, as slow", "latency", _any_time, _any_time, 0.0, (100, 500)),
)


def compile_pair(job: tuple[int, int, int]) -> PairOutcome:
    """Compile case number ``job[0]`` with ``job[1]`` holdout inputs and seed ``job[2]``."""
    number, size, seed = job
    case = CASES[number]
    first = _make_model("before", case.before, case, seed, good=False)
    second = _make_model("after", case.after, case, seed, good=True)
    with lp.using(lm=first):
        compiled = LLMSelector(
            models=[second], objective=case.objective, tolerance=TOLERANCE
        ).compile(
            lp.Predict("x -> y: float"),
            _make_rows("train", TRAIN),
            metric=lambda example, prediction: prediction.y,
            valset=_make_rows("search", VALIDATION),
            holdout=_make_rows("fresh", size) * case.copies,
            seed=seed,
            progress=lambda event: None,
        )
    certificate = compiled.certificate
    ran = certificate.before is not None
    return PairOutcome(
        certificate.verdict == "certified",
        certificate.finding == "worse",
        not ran or certificate.low - 1e-9 <= case.truth <= certificate.high + 1e-9,
    )


def _make_rows(kind: str, count: int) -> list[lp.Example]:
    return [lp.Example(x=f"{kind} row {number}.", y=1.0) for number in range(count)]


def _make_model(which: str, draw: Draw, case: Case, seed: int, *, good: bool) -> lp.ScriptedLM:
    name = f"simulated/{which}-{seed}"

    def answer(request: lp.Request) -> Completion:
        row = request.messages[-1].text.strip()
        if "fresh" in row:
            score, dollars, seconds = draw(
                lambda part: _uniform(which, case.name, seed, row, part)
            )
        else:  # the search sees a better, cheaper and quicker second model
            score, dollars, seconds = (1.0, 0.001, 0.1) if good else (0.5, 0.01, 1.0)
        text = f"[[y]]\n{score}"
        return Completion((text,), name, Usage(20, 5), dollars=dollars, latency=seconds)

    return lp.ScriptedLM(answer, name=name)


def _uniform(*parts: object) -> float:
    digest = hashlib.sha256("\x1f".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:6], "big") / 2**48
