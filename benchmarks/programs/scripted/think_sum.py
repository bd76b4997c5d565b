"""Knows the kinds of each word, and now and then forgets one of them."""

from __future__ import annotations

from typing import Any

from benchmarks.programs.scripted import Prompt
from programs.think_sum import GROUPS


def reply(prompt: Prompt) -> dict[str, Any]:
    """Return the kinds of a word."""
    word = prompt.inputs["word"]
    kinds = [kind for kind, words in GROUPS.items() if word in words]
    if prompt.slips(0.4):
        kinds = kinds[1:] or ["thing"]
    return {"kinds": {kind: 90 // len(kinds) for kind in kinds} | {"thing": 10}}
