"""Tries expressions at random, as the sampling seed has it, and writes down the nearest."""

from __future__ import annotations

import random
from typing import Any

from benchmarks.programs.scripted import Prompt

TRIES = 12


def reply(prompt: Prompt) -> dict[str, Any]:
    """Return the expression that is nearest to the target; more tries with demonstrations."""
    numbers, target = prompt.value("numbers"), int(prompt.inputs["target"])
    rng = random.Random(prompt.draw())
    nearest, distance = "0", float("inf")
    for _ in range(TRIES * (1 + 2 * prompt.demos)):
        order = rng.sample(numbers, len(numbers))
        value, text = order[0], str(order[0])
        for number in order[1:]:
            sign = rng.choice("+-*")
            value = {"+": value + number, "-": value - number, "*": value * number}[sign]
            text = f"({text} {sign} {number})"
        if abs(value - target) < distance:
            nearest, distance = text, abs(value - target)
    return {"expression": nearest}
