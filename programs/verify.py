"""Draw several answers and keep one that a checker accepts.

Follows: Networks of Networks (Davis et al., 2024), K generators and a verifier, and Large Language
Monkeys (Brown et al., 2024): repeated sampling with a checker, and the coverage curve, the share
of inputs that are solved with k samples. Differs: the number of samples is a parameter (``k``)
that a compile sets; the checker is exact code, so that a right answer is never judged wrong; the
curve is estimated without bias from any number of samples (:func:`measure_coverage`). The task:
reach a number from four others by +, - and *.
"""

from __future__ import annotations

import ast
import math
import operator
import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import langprog as lp

OPERATORS: Mapping[type[ast.operator], Callable[[int, int], int]] = MappingProxyType(
    {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul}
)
LONGEST = 200


class Reach(lp.Signature):
    """Write an expression of all the numbers, each once, with +, - and *, that is the target."""

    numbers: list[int] = lp.Input()
    target: int = lp.Input()
    expression: str = lp.Output("such as (3 + 4) * 2 - 1")


class Judge(lp.Module):
    """Says whether an expression reaches the target; calls no model."""

    signature = "numbers: list[int], target: int, expression -> right: bool"

    def forward(self, numbers: list[int], target: int, expression: str) -> Mapping[str, bool]:
        """Work the expression out."""
        return {"right": is_right(numbers, target, expression)}


def is_right(numbers: Sequence[int], target: int, expression: str) -> bool:
    """Return whether an expression uses the numbers, each once, and is the target."""
    try:
        tree = ast.parse(expression[:LONGEST].strip(), mode="eval").body
        used: list[int] = []
        return _work_out(tree, used) == target and Counter(used) == Counter(numbers)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False


def _work_out(tree: ast.expr, used: list[int]) -> int:
    if isinstance(tree, ast.Constant) and type(tree.value) is int:
        used.append(tree.value)
        return tree.value
    if isinstance(tree, ast.BinOp) and type(tree.op) in OPERATORS:
        left, right = _work_out(tree.left, used), _work_out(tree.right, used)
        return OPERATORS[type(tree.op)](left, right)
    raise ValueError("something else than numbers, +, - and *")


generator = lp.Predict(Reach)
program = lp.BestOf(generator, judge=Judge(), k=2)


def metric(example: lp.Example, prediction: lp.Prediction) -> lp.Score:
    """Score 1 for an expression that reaches the target."""
    right = is_right(example.numbers, example.target, prediction.expression)
    return lp.Score(float(right), None if right else "it is not the target, or not these numbers")


def measure_coverage(
    module: lp.Module,
    rows: Sequence[lp.Example],
    check: Callable[[lp.Example, lp.Prediction], Any],
    *,
    samples: int = 10,
    temperature: float = 0.7,
) -> list[float]:
    """Return the share of inputs that at least one of k samples solves, for k from 1 on.

    Follows: Evaluating Large Language Models Trained on Code (Chen et al., 2021), the unbiased
    estimate of pass@k from n samples, which Large Language Monkeys uses for its curves. Differs: a
    sample that never arrived (no connection) counts for nothing, instead of as unsolved.

    Args:
        module: What is sampled.
        rows: Inputs with what the check needs.
        check: A metric; a score of 1 counts as solved.
        samples: How many samples are drawn for each input.
        temperature: For all predictors.
    """
    scores: list[list[float]] = [[] for _ in rows]
    for seed in range(samples):
        sampling = lp.Sampling(temperature=temperature, seed=seed)
        drawn = module.with_parameters(
            {f"{path}.sampling": sampling for path in module.predictors()}
        )
        for place, row in enumerate(lp.evaluate(drawn, rows, check).rows):
            if row.score is not None:
                scores[place].append(row.score.value)
    return [_share_solved(scores, k) for k in range(1, samples + 1)]


def _share_solved(scores: Sequence[Sequence[float]], k: int) -> float:
    enough = [each for each in scores if len(each) >= k]
    if not enough:
        return math.nan
    failing = [
        math.comb(sum(value < 1 for value in each), k) / math.comb(len(each), k) for each in enough
    ]
    return 1 - math.fsum(failing) / len(failing)


def examples(count: int = 60, seed: int = 0) -> list[lp.Example]:
    """Return different puzzles, each with a solution.

    Args:
        count: How many.
        seed: Decides them.
    """
    rng = random.Random(f"verify/{seed}")
    rows: dict[tuple[int, ...], lp.Example] = {}
    while len(rows) < count:
        numbers = [rng.randint(1, 12) for _ in range(4)]
        order = rng.sample(numbers, 4)
        expression = str(order[0])
        for number in order[1:]:
            expression = f"({expression} {rng.choice('+-*')} {number})"
        target = _work_out(ast.parse(expression, mode="eval").body, [])
        if 0 < target < 200:
            row = lp.Example(numbers=numbers, target=target, expression=expression)
            rows.setdefault((*sorted(numbers), target), row)
    return list(rows.values())
