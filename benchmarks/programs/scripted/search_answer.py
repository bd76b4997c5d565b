"""Answers from the paragraph or guesses, and rates answers that the paragraph has higher."""

from __future__ import annotations

from typing import Any

from benchmarks.programs.scripted import Prompt
from benchmarks.programs.scripted._reading import read_answer


def reply(prompt: Prompt) -> dict[str, Any]:
    """Return the answer, or how well it is supported."""
    evidence = prompt.inputs["evidence"]
    answer = read_answer(prompt.inputs["question"], [evidence])
    if "answer" in prompt.outputs:
        return {"answer": answer or evidence.split()[-1].strip(".")}
    supported = prompt.inputs["answer"] == answer
    return {"support": prompt.draw() if prompt.slips(0.6) else 0.9 if supported else 0.1}
