"""Answer with tools: look facts up, and calculate.

Follows: ReAct (Yao et al., 2023). Differs: several calls in a step, natively where the endpoint
can; the answer is submitted, typed, through a call; which tools are offered and how many steps
there may be are parameters that a compile sets. The tools look into a small invented catalogue;
put your own functions in their place.
"""

from __future__ import annotations

import ast
import operator
import random
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Literal

import langprog as lp

SHIPS = ("Aurora", "Bittern", "Curlew", "Dunlin", "Egret", "Fulmar", "Gannet", "Heron")
FIELDS = ("passengers", "cabins", "crew", "cars")
CATALOGUE: Mapping[tuple[str, str], int] = MappingProxyType(
    {
        (ship, field): 11 + (37 * row + 53 * column) % 90
        for row, ship in enumerate(SHIPS)
        for column, field in enumerate(FIELDS)
    }
)
OPERATORS: Mapping[type[ast.operator], Callable[[int, int], int]] = MappingProxyType(
    {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul}
)
LONGEST = 200


def look_up(ship: str, field: Literal["passengers", "cabins", "crew", "cars"]) -> int:
    """Look up how many passengers, cabins, crew or cars a ship has."""
    if (ship.strip().capitalize(), field) not in CATALOGUE:
        raise ValueError(f"there is no ship {ship!r}; there are {', '.join(SHIPS)}")
    return CATALOGUE[ship.strip().capitalize(), field]


def calculate(expression: str) -> int:
    """Work out an expression of whole numbers with +, - and *."""
    if len(expression) > LONGEST:
        raise ValueError(f"an expression has at most {LONGEST} characters")
    return _work_out(ast.parse(expression.strip(), mode="eval").body)


def _work_out(tree: ast.expr) -> int:
    if isinstance(tree, ast.Constant) and type(tree.value) is int:
        return tree.value
    if isinstance(tree, ast.BinOp) and type(tree.op) in OPERATORS:
        return OPERATORS[type(tree.op)](_work_out(tree.left), _work_out(tree.right))
    raise ValueError("write whole numbers, +, - and * alone")


class Ask(lp.Signature):
    """Answer the question about the ships; look everything up, and calculate with the tool."""

    question: str = lp.Input()
    answer: int = lp.Output()


program = lp.ReAct(Ask, tools=[look_up, calculate], max_steps=4)


def metric(example: lp.Example, prediction: lp.Prediction) -> lp.Score:
    """Score 1 for the right number."""
    right = prediction.answer == example.answer
    return lp.Score(float(right), None if right else f"the answer is {example.answer}")


def examples(count: int = 45, seed: int = 0) -> list[lp.Example]:
    """Return questions that take two look-ups and a sum, or one look-up.

    Args:
        count: How many.
        seed: Decides them.
    """
    rng = random.Random(f"agent/{seed}")
    rows: dict[str, lp.Example] = {}
    while len(rows) < count:
        field, (first, second) = rng.choice(FIELDS), rng.sample(SHIPS, 2)
        one_ship = f"How many {field} does the {first} have?"
        together = f"How many {field} do the {first} and the {second} have together?"
        total = CATALOGUE[first, field] + CATALOGUE[second, field]
        question, answer = rng.choice(
            ((one_ship, CATALOGUE[first, field]), (together, total), (together, total))
        )
        rows.setdefault(question, lp.Example(question=question, answer=answer))
    return list(rows.values())
