"""Drafts with the padding or without the day, sees what is wrong, and mends it."""

from __future__ import annotations

import re
from typing import Any

from benchmarks.programs.scripted import Prompt
from programs.rewrite import MOST_WORDS


def reply(prompt: Prompt) -> dict[str, Any]:
    """Return a draft, a critique or a revision."""
    sentences = re.findall(r"[^.]+\.", prompt.inputs["message"])
    core = next(each.strip() for each in sentences if "chairs" in each)
    if "critique" in prompt.inputs:
        return {"revised": core}
    if "rewritten" in prompt.inputs:
        text = prompt.inputs["rewritten"]
        if prompt.slips(0.3):
            return {"critique": "none"}
        if len(text.split()) > MOST_WORDS:
            return {"critique": "It is too long."}
        return {"critique": "none" if core.split()[-1] in text else "The day is missing."}
    if prompt.slips(0.5, "long"):
        return {"rewritten": prompt.inputs["message"]}
    return {"rewritten": core.rpartition(" on ")[0] + "." if prompt.slips(0.6, "day") else core}
