"""Looks the ships up, adds their numbers with the tool, and submits the sum."""

from __future__ import annotations

import json
import re
from typing import Any

from benchmarks.programs.scripted import Prompt

FIELDS = ("passengers", "cabins", "crew", "cars")


def reply(prompt: Prompt) -> dict[str, Any]:
    """Return the next calls, from what the earlier ones returned."""
    question = prompt.inputs["question"]
    ships = re.findall(r"the ([A-Z][a-z]+)", question)
    field = next(each for each in FIELDS if each in question)
    results = [each for turn in prompt.turns if "tool_results" in turn for each in _results(turn)]
    numbers = [each["result"] for each in results if each["tool"] == "look_up"]
    sums = [each["result"] for each in results if each["tool"] == "calculate"]
    if not numbers:
        asked = ships[:1] if prompt.slips(0.6) else ships
        calls = [{"tool": "look_up", "arguments": {"ship": s, "field": field}} for s in asked]
        return {"thought": "I look the ships up.", "tool_calls": calls}
    if len(numbers) > 1 and not sums:
        expression = " + ".join(numbers)
        calls = [{"tool": "calculate", "arguments": {"expression": expression}}]
        return {"thought": "I add them.", "tool_calls": calls}
    answer = int((sums or numbers)[-1])
    calls = [{"tool": "submit", "arguments": {"answer": answer}}]
    return {"thought": "That is the answer.", "tool_calls": calls}


def _results(turn: Any) -> list[dict[str, str]]:
    results: list[dict[str, str]] = json.loads(turn["tool_results"])
    return results
