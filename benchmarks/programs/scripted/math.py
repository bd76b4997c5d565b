"""Follows the sentences of a problem, and now and then forgets the last one."""

from __future__ import annotations

import re
from typing import Any

from benchmarks.programs.scripted import Prompt


def reply(prompt: Prompt) -> dict[str, Any]:
    """Return the reasoning and the number."""
    sentences = re.findall(r"[^.?]+[.?]", prompt.inputs["problem"])[:-1]
    if prompt.slips(0.6):
        sentences = sentences[:-1]
    total, steps = 0, []
    for sentence in sentences:
        number = next((int(word) for word in re.findall(r"\d+", sentence)), 0)
        if "doubles" in sentence:
            total *= 2
        elif "loses" in sentence:
            total -= number
        else:
            total += number
        steps.append(f"{sentence.strip()} That is {total}.")
    return {"reasoning": " ".join(steps), "answer": total}
