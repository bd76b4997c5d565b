"""Procedures to carry out exactly: no knowledge, any number of steps, one right result.

Follows: ProcBench (Fujisawa et al., 2024), tasks whose procedure is given in full, so that only
following it is tested, at any length. Differs: three short families of our own, written anew:
edits of a word, moves in a list, and a counter with conditions.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from types import MappingProxyType

import langprog as lp
from benchmarks.tasks.generated import Task

SYLLABLES = ("ba", "de", "fi", "go", "lu", "ma", "ne", "po", "ra", "si", "tu", "wo")
Drawn = tuple[str, str]


def edit_word(rng: random.Random, steps: int) -> Drawn:
    """Return edits of a word, and the word that comes out."""
    word = "".join(rng.sample(SYLLABLES, 3))
    text = [f"Start with the word {word}."]
    for _ in range(steps):
        kind = rng.choice(("reverse", "drop", "double", "rotate"))
        if kind == "reverse":
            word = word[::-1]
            text.append("Reverse the word.")
        elif kind == "drop" and len(word) > 2:
            word = word[1:]
            text.append("Drop the first letter.")
        elif kind == "double":
            word += word[-1]
            text.append("Write the last letter once more at the end.")
        else:
            word = word[1:] + word[:1]
            text.append("Move the first letter to the end.")
    return " ".join(text), word


def move_items(rng: random.Random, steps: int) -> Drawn:
    """Return moves in a list, and the list that comes out."""
    items = rng.sample(SYLLABLES, 5)
    text = [f"The list is {' '.join(items)}."]
    for _ in range(steps):
        first, second = rng.sample(range(5), 2)
        if rng.random() < 0.5:
            items[first], items[second] = items[second], items[first]
            text.append(f"Swap item {first + 1} and item {second + 1}.")
        else:
            items.append(items.pop(first))
            text.append(f"Move item {first + 1} to the end.")
    return " ".join(text), " ".join(items)


def count_up(rng: random.Random, steps: int) -> Drawn:
    """Return a procedure with conditions on a counter, and its last value."""
    value = rng.randint(1, 9)
    text = [f"Start with {value}."]
    for _ in range(steps):
        number = rng.randint(2, 9)
        if rng.random() < 0.5:
            value = value // 2 if value % 2 == 0 else value + number
            text.append(f"If the number is even, halve it; otherwise, add {number}.")
        else:
            value = value - number if value > 10 else value + number
            text.append(f"If it is above 10, take {number} away; otherwise, add {number}.")
    return " ".join(text), str(value)


FAMILIES: Mapping[str, Callable[[random.Random, int], Drawn]] = MappingProxyType(
    {"edit a word": edit_word, "move items": move_items, "count up": count_up}
)


def make_procedures(name: str, seed: int, *, known: int, test: int, steps: int = 3) -> Task:
    """Return a family's task.

    Args:
        name: One of ``FAMILIES``.
        seed: Decides the rows.
        known: Rows for training, validation and certificate together.
        test: Rows that no optimizer sees.
        steps: Number of steps of each procedure, after the start.
    """
    rng = random.Random(f"procedures/{name}/{steps}/{seed}")
    drawn: dict[str, str] = {}
    while len(drawn) < known + test:
        procedure, result = FAMILIES[name](rng, steps)
        drawn[procedure] = result
    rows = tuple(lp.Example(procedure=given, result=result) for given, result in drawn.items())
    program = lp.Predict(
        "procedure -> result", instruction="Carry the procedure out and give the result alone."
    )
    return Task(f"{name}, {steps} steps", program, rows[:known], rows[known:], ("result",))
