"""Adds up, and now and then prefers the first position or the longer answer."""

from __future__ import annotations

import re
from typing import Any

from benchmarks.programs.scripted import Prompt


def reply(prompt: Prompt) -> dict[str, Any]:
    """Return which answer is better, or the stars of one."""
    total = sum(map(int, re.findall(r"\d+", prompt.inputs["question"])))
    if "answer" in prompt.inputs:
        right = _last_number(prompt.inputs["answer"]) == total
        if prompt.slips(0.4):
            return {"stars": 3}
        return {"stars": 5 if right else 2}
    if prompt.slips(0.6):
        return {"better": "first"}
    return {"better": "first" if _last_number(prompt.inputs["first"]) == total else "second"}


def _last_number(text: str) -> int:
    return int(re.findall(r"\d+", text)[-1])
