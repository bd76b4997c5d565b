"""Names what is private, now and then without the town, and writes a line."""

from __future__ import annotations

import re
from typing import Any

from benchmarks.programs.scripted import Prompt
from programs.privacy import TOWNS


def reply(prompt: Prompt) -> dict[str, Any]:
    """Return the private spans, or the line that is asked for."""
    request = prompt.inputs["request"]
    if "private" in prompt.outputs:
        spans = re.findall(r"[A-Z]\w+ [A-Z]\w+|\S+@\S+\.example|0\d\d \d{6}", request)
        towns = [town for town in TOWNS if town in request]
        return {"private": spans if prompt.slips(0.6) else [*spans, *towns]}
    who = re.search(r"(?:thanks|asks|invites) (\[[^]]+\]|\S+ \S+)", request)
    return {"reply": f"Dear {who[1] if who else 'friend'}, thank you."}
