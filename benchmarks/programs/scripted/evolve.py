"""Rewrites the scheduler, one idea better each time, as the text that it is shown has it."""

from __future__ import annotations

from typing import Any

from benchmarks.programs.scripted import Prompt

LEAST_BUSY = """def choose(loads, speeds, job):
    return loads.index(min(loads))"""
EARLIEST_END = """def choose(loads, speeds, job):
    ends = [load + job / speed for load, speed in zip(loads, speeds)]
    return ends.index(min(ends))"""


def reply(prompt: Prompt) -> dict[str, Any]:
    """Return a new scheduler, fenced as models like to do it."""
    code = EARLIEST_END if "min(loads)" in prompt.inputs["current"] else LEAST_BUSY
    return {"text": f"```python\n{code}\n```"}
