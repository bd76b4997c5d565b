"""Say which of two answers is better: compared in both orders, rated, and joined.

Follows: Judging LLM-as-a-Judge with MT-Bench and Chatbot Arena (Zheng et al., 2023): pairwise
comparison with positions swapped, and ratings of single answers. Differs: both are judges of one
panel, whose votes are joined by weights; :func:`calibrate` fits them to labelled pairs (the log
odds of being right, as for independent voters), so that ``confidence`` is a probability; a judge
that prefers a position votes for nobody. The answers are generated.
"""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import langprog as lp
from langprog.errors import InputError

JUDGES = ("compared", "rated")
VERDICTS = ("first", "second", "tie")


class Compare(lp.Signature):
    """Say which answer to the question is right."""

    question: str = lp.Input()
    first: str = lp.Input()
    second: str = lp.Input()
    better: Literal["first", "second"] = lp.Output()


class Rate(lp.Signature):
    """Rate the answer to the question."""

    question: str = lp.Input()
    answer: str = lp.Input()
    stars: int = lp.Output("5 for right and to the point, 1 for wrong", ge=1, le=5)


class Panel(lp.Module):
    """Judges a pair of answers.

    Args:
        weights: What the vote of each judge counts, by name.
    """

    signature = (
        "question, first, second -> verdict: Literal['first', 'second', 'tie'], confidence: float"
    )

    def __init__(self, weights: Mapping[str, float] | None = None) -> None:
        self.compare = lp.Predict(Compare)
        self.rate = lp.Predict(Rate)
        self.weights = dict(weights or dict.fromkeys(JUDGES, 1.0))

    def own_parameters(self) -> dict[str, lp.Parameter]:
        """Return the weights, which calibration sets."""
        return {"weights": lp.Parameter("choice", self.weights)}

    async def aforward(self, question: str, first: str, second: str) -> Mapping[str, Any]:
        """Ask both judges, the first of them twice, and join their votes."""
        one_way, other_way, left, right = await asyncio.gather(
            self.compare.acall(question=question, first=first, second=second),
            self.compare.acall(question=question, first=second, second=first),
            self.rate.acall(question=question, answer=first),
            self.rate.acall(question=question, answer=second),
        )
        votes = {
            "compared": ((one_way.better == "first") - (other_way.better == "first")),
            "rated": (left.stars > right.stars) - (left.stars < right.stars),
        }
        odds = math.fsum(self.weights[name] * vote for name, vote in votes.items())
        verdict = "tie" if odds == 0 else "first" if odds > 0 else "second"
        confidence = 1 / (1 + math.exp(-abs(odds)))
        return {"verdict": verdict, "confidence": confidence, "votes": votes}


class BothOrders(lp.Module):
    """Asks a judge of pairs in both orders: a verdict that depends on the order is a tie.

    Args:
        judge: Compares ``first`` and ``second``, and says which is ``better``.
    """

    signature = "question, first, second -> verdict: Literal['first', 'second', 'tie']"

    def __init__(self, judge: lp.Module | None = None) -> None:
        self.judge = lp.Predict(Compare) if judge is None else judge

    async def aforward(self, question: str, first: str, second: str) -> dict[str, str]:
        """Ask twice."""
        one_way, other_way = await asyncio.gather(
            self.judge.acall(question=question, first=first, second=second),
            self.judge.acall(question=question, first=second, second=first),
        )
        agree = (one_way.better == "first") == (other_way.better == "second")
        return {"verdict": one_way.better if agree else "tie"}


program = Panel()
both_orders = BothOrders()


def calibrate(panel: Panel, rows: Sequence[lp.Example]) -> Panel:
    """Return a panel whose weights are fitted to labelled pairs.

    A judge's weight is the log odds of its being right where it votes, with one right and one
    wrong vote added, so that few labels give no certainty.

    Args:
        panel: The panel; it is asked about every row.
        rows: Pairs with their verdicts; from those that are a tie nothing is learned.

    Raises:
        InputError: A verdict is none of the three, or there are only ties.
    """
    for place, example in enumerate(rows):
        if example.get("verdict") not in VERDICTS:
            raise InputError(
                f"rows[{place}] has the verdict {example.get('verdict')!r:.40}: write "
                f"{', '.join(map(repr, VERDICTS))}"
            )
    if all(example.verdict == "tie" for example in rows):
        raise InputError("no row says which answer is better, so there is nothing to fit to")
    report = lp.evaluate(panel, rows, metric)
    weights = {}
    for name in JUDGES:
        right = wrong = 1
        for row in report.rows:
            if row.prediction is not None and row.example.verdict != "tie":
                vote = row.prediction["votes"][name]
                wanted = 1 if row.example.verdict == "first" else -1
                right += vote == wanted
                wrong += vote == -wanted
        weights[name] = math.log(right / wrong)
    return panel.with_own_parameters({"weights": weights})


def metric(example: lp.Example, prediction: lp.Prediction) -> lp.Score:
    """Score 1 for the right verdict, and a half for a tie instead of it."""
    if prediction.verdict == "tie" != example.verdict:
        return lp.Score(0.5, f"the {example.verdict} answer is better")
    right = prediction.verdict == example.verdict
    return lp.Score(float(right), None if right else f"the {example.verdict} answer is better")


def examples(count: int = 80, seed: int = 0) -> list[lp.Example]:
    """Return different questions, each with a right answer and a wrong one that sounds better.

    Args:
        count: How many.
        seed: Decides them.
    """
    rng = random.Random(f"judge/{seed}")
    rows: dict[str, lp.Example] = {}
    while len(rows) < count:
        a, b, slip = rng.randint(11, 99), rng.randint(11, 99), rng.choice((-10, -1, 1, 10))
        question = f"What is {a} plus {b}?"
        right, wrong = f"It is {a + b}.", f"{a} plus {b} makes exactly {a + b + slip}, of course."
        answers = {"first": right, "second": wrong}
        verdict = rng.choice(("first", "second"))
        if verdict == "second":
            answers = {"first": wrong, "second": right}
        rows.setdefault(question, lp.Example(question=question, **answers, verdict=verdict))
    return list(rows.values())
