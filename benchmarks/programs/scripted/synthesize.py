"""Writes a problem to a calculation, and now and then miscalculates or forgets a number."""

from __future__ import annotations

import re
from typing import Any

from benchmarks.programs.scripted import Prompt

WORDS = {"+": "{} more come.", "-": "{} are lost."}


def reply(prompt: Prompt) -> dict[str, Any]:
    """Return a draft, or the problem of a draft."""
    form, topic = prompt.inputs["calculation"], prompt.inputs["topic"]
    if "draft" not in prompt.inputs:
        numbers = [20 + int(prompt.draw("a") * 9), *(2 + int(prompt.draw(at) * 8) for at in "bc")]
        return {"draft": " ".join(map(str, numbers[: len(re.findall("[a-z]", form))]))}
    numbers = [int(each) for each in prompt.inputs["draft"].split()]
    signs = re.findall(r"[-+*]", form)
    said, total, expression = f"There are {numbers[0]} {topic}.", numbers[0], str(numbers[0])
    for sign, number in zip(signs, numbers[1:], strict=True):
        expression += f" {sign} {number}"
        total = {"+": total + number, "-": total - number, "*": total * number}[sign]
        said += " " + WORDS.get(sign, "And that {} times.").format(number)
    if prompt.slips(0.4):
        total += 1
    return {"problem": f"{said} How many now?", "expression": expression, "answer": total}
