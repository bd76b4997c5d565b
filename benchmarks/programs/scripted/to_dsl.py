"""Reads a description sentence by sentence; misspells a word, and mends it when it is told."""

from __future__ import annotations

import re
from typing import Any

from benchmarks.programs.scripted import Prompt

AT = re.compile(r"A (\w+) stands at (\d), (\d)\.")
RELATIVE = re.compile(r"A (\w+) is (\d) (?:to the )?(\w+)(?: of)? the (\w+)\.")
FACES = re.compile(r"The (\w+) faces (\w+)\.")


def reply(prompt: Prompt) -> dict[str, Any]:
    """Return the scene."""
    text = prompt.inputs["description"]
    lines = [f"object {name} at {x} {y}" for name, x, y in AT.findall(text)]
    lines += [
        f"object {name} {side} of {other} by {by}"
        for name, by, side, other in RELATIVE.findall(text)
    ]
    lines += [f"turn {name} {direction}" for name, direction in FACES.findall(text)]
    if prompt.slips(0.4):
        lines = lines[:-1]
    if prompt.slips(0.6, "spelling") and len(prompt.turns) == 1:
        lines[0] = lines[0].replace("object", "objekt")
    return {"scene": "\n".join(lines)}
