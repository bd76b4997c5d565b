"""Carries out the next edit, now and then the wrong way, and checks steps by doing them again."""

from __future__ import annotations

import re
from typing import Any

from benchmarks.programs.scripted import Prompt
from programs.steps import EDITS


def _plan(procedure: str) -> tuple[str, list[str]]:
    word = (re.search(r"the word (\w+)\.", procedure) or ["", ""])[1]
    return word, re.split(r", then ", procedure.partition(" Then ")[2].rstrip("."))


def reply(prompt: Prompt) -> dict[str, Any]:
    """Return the next step, the verdict on the steps, or the result."""
    word, edits = _plan(prompt.inputs["procedure"])
    steps = prompt.value("steps") if prompt.inputs.get("steps") else []
    if "result" in prompt.outputs:
        return {"result": steps[-1].split()[-1] if steps else word}
    if "right" in prompt.outputs:
        right = word
        for edit in edits[: len(steps)]:
            right = EDITS[edit](right)
        return {"right": 0.9 if steps and steps[-1].split()[-1] == right else 0.1}
    last = steps[-1].split()[-1] if steps else word
    edit = edits[min(len(steps), len(edits) - 1)]
    after = EDITS[edit](last)
    if prompt.slips(0.5, len(steps)):
        after = last[::-1]
    return {"step": f"{edit} gives {after}", "finished": len(steps) + 1 >= len(edits)}
