"""Picks the facts of a chain, orders and follows them; loses a fact now and then."""

from __future__ import annotations

import re
from typing import Any

from benchmarks.programs.scripted import Prompt


def reply(prompt: Prompt) -> dict[str, Any]:
    """Return the facts that matter, their order, or the answer."""
    facts: list[str] = prompt.value("facts")
    match = re.match(r"Is (\w+) (\w+)\?", prompt.inputs["question"])
    assert match is not None
    name, trait = match.groups()
    if "picked" in prompt.outputs:
        picked = [each for each in facts if each.startswith(("Every", f"{name} is"))]
        return {"picked": picked[:-1] if prompt.slips(0.5) else picked}
    chain, kind, last = [], name, name
    while kind:
        step = next((each for each in facts if re.match(rf"(?:Every )?{kind} is a ", each)), "")
        chain += [step] if step else []
        last = kind
        kind = step.rstrip(".").rpartition(" ")[2] if step and len(chain) <= len(facts) else ""
    end = [
        each
        for each in facts
        if each in (f"Every {last} is {trait}.", f"Every {last} is not {trait}.")
    ]
    if "ordered" in prompt.outputs:
        return {"ordered": [*chain, *end]}
    return {"answer": "yes" if end and " not " not in end[0] else "no"}
