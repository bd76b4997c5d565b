"""Takes the sentences with a number for facts; now and then copies the whole report."""

from __future__ import annotations

import re
from typing import Any

from benchmarks.programs.scripted import Prompt


def reply(prompt: Prompt) -> dict[str, Any]:
    """Return the facts, or the summary."""
    sentences = re.findall(r"[^.]+\.", prompt.inputs["report"])
    facts = [each.strip() for each in sentences if re.search(r"\d", each)]
    if "facts" in prompt.outputs:
        return {"facts": facts[:2] if prompt.slips(0.5) else facts}
    if prompt.slips(0.6):
        return {"summary": prompt.inputs["report"]}
    return {"summary": " ".join(prompt.value("facts"))}
