"""Solve a word problem with numbers: reason step by step, and vote.

Follows: Chain-of-Thought Prompting (Wei et al., 2022), Self-Consistency (Wang et al., 2023), and
Are More LLM Calls All You Need? (Chen et al., 2024) in sizing the vote. Differs: the size of the
vote is a parameter (``k``) that a compile sets from the data; voting ends as soon as the winner is
certain; the problems are generated, in two to four steps, and have whole numbers as answers.
"""

from __future__ import annotations

import random

import langprog as lp

THINGS = ("apples", "stamps", "coins", "shells", "tickets", "pencils", "marbles", "cards")
NAMES = ("Ada", "Ben", "Cleo", "Dan", "Eva", "Finn", "Gus", "Hana")


class Solve(lp.Signature):
    """Solve the problem. Work it out one step at a time, and give the number alone."""

    problem: str = lp.Input()
    answer: int = lp.Output("the number that the problem asks for")


program = lp.Vote(lp.ChainOfThought(Solve), k=3)


def metric(example: lp.Example, prediction: lp.Prediction) -> lp.Score:
    """Score 1 for the right number."""
    right = prediction.answer == example.answer
    return lp.Score(float(right), None if right else f"the answer is {example.answer}")


def examples(count: int = 120, seed: int = 0) -> list[lp.Example]:
    """Return different problems.

    Args:
        count: How many.
        seed: Decides them.
    """
    rng = random.Random(f"math/{seed}")
    rows: dict[str, lp.Example] = {}
    while len(rows) < count:
        problem, answer = _draw_problem(rng)
        rows.setdefault(problem, lp.Example(problem=problem, answer=answer))
    return list(rows.values())


def _draw_problem(rng: random.Random) -> tuple[str, int]:
    name, thing = rng.choice(NAMES), rng.choice(THINGS)
    total = rng.randint(5, 30)
    said = [f"{name} has {total} {thing}."]
    for _ in range(rng.randint(2, 4)):
        change = rng.choice(("finds", "loses", "doubles"))
        if change == "doubles" and total < 60:
            total *= 2
            said.append("Then the number doubles.")
        elif change == "loses" and total > 3:
            lost = rng.randint(1, total - 1)
            total -= lost
            said.append(f"{name} loses {lost}.")
        else:
            more = rng.randint(2, 30)
            total += more
            said.append(f"{name} finds {more} more.")
    said.append(f"How many {thing} does {name} have now?")
    return " ".join(said), total
