"""Asks for the person, then for the town that the notes name; answers from the notes."""

from __future__ import annotations

from typing import Any

from benchmarks.programs.scripted import Prompt
from benchmarks.programs.scripted._reading import names_in, read_answer


def reply(prompt: Prompt) -> dict[str, Any]:
    """Return the next query, or the answer."""
    question, notes = prompt.inputs["question"], prompt.value("notes")
    person = names_in(question)[-1]
    town = read_answer(f"Where was {person} born?", notes)
    if "query" in prompt.outputs:
        query = "places" if prompt.slips(0.4) else f"{town or person}"
        return {"reasoning": f"The notes name {town or 'no town'}.", "query": query}
    asked = "founded" if "founded" in question else "river"
    answer = town and read_answer(f"Of {town}: {asked}?", notes)
    return {"answer": answer or "unknown"}
