"""Guesses sums of many numbers at once, and works them out where it may think."""

from __future__ import annotations

import re
from typing import Any

from benchmarks.programs.scripted import Prompt

SURE = 2  # numbers that it adds at once


def reply(prompt: Prompt) -> dict[str, Any]:
    """Return the answer, after the reasoning if one is asked for."""
    numbers = [int(word) for word in re.findall(r"\d+", prompt.inputs["question"])]
    if "reasoning" in prompt.outputs:
        said = [f"{sum(numbers[: n + 1])}" for n in range(len(numbers))]
        return {"reasoning": f"In turn: {', '.join(said)}.", "answer": sum(numbers)}
    right = len(numbers) <= SURE or not prompt.slips(0.9)
    return {"answer": sum(numbers) + (0 if right else 1 + int(30 * prompt.draw("guess")))}
