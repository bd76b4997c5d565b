"""Rates and reads passages, and combines notes."""

from __future__ import annotations

from typing import Any

from benchmarks.programs.scripted import Prompt
from benchmarks.programs.scripted._reading import read_answer


def reply(prompt: Prompt) -> dict[str, Any]:
    """Return a relevance, a note, or the answer."""
    question = prompt.inputs["question"]
    if "answer" in prompt.outputs:
        notes = [note for note in prompt.value("notes") if note != "nothing"]
        answer = notes[0].split()[-1] if notes else "unknown"
        return {"answer": f"a {answer}" if prompt.slips(0.5) else answer}
    answer = read_answer(question, [prompt.inputs["passage"]])
    if "relevance" in prompt.outputs:
        return {"relevance": 0.9 if answer else 0.2}
    return {"note": f"It says {answer}" if answer else "nothing"}
