"""Reads the passages; now and then answers with a whole sentence."""

from __future__ import annotations

from typing import Any

from benchmarks.programs.scripted import Prompt
from benchmarks.programs.scripted._reading import read_answer


def reply(prompt: Prompt) -> dict[str, Any]:
    """Return the answer that the passages give."""
    answer = read_answer(prompt.inputs["question"], prompt.value("passages")) or "unknown"
    return {"answer": f"The answer is {answer}." if prompt.slips(0.6) else answer}
