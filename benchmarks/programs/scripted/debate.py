"""Solves a puzzle, or guesses a name; who guesses follows the others where they agree."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

from benchmarks.programs.scripted import Prompt

FACT = re.compile(r"(\w+) is (older|younger) than (\w+)")


def reply(prompt: Prompt) -> dict[str, Any]:
    """Return a name and why."""
    puzzle = prompt.inputs["puzzle"]
    pairs = [(a, b) if how == "older" else (b, a) for a, how, b in FACT.findall(puzzle)]
    names = sorted({name for pair in pairs for name in pair})
    if prompt.slips(0.6):
        others = Counter(said.partition(":")[0] for said in prompt.value("others"))
        guess = names[int(prompt.draw("guess") * len(names))]
        return {
            "answer": others.most_common(1)[0][0] if others else guess,
            "reason": "The others say so." if others else "I think so.",
        }
    below = {younger for _, younger in pairs}
    above = {older for older, _ in pairs}
    lacking = below if "oldest" in puzzle else above
    answer = next(name for name in names if name not in lacking)
    return {"answer": answer, "reason": "Nobody is named before."}
