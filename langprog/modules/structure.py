"""The outputs that a prompt asks for: in another order, with reasoning or without it.

A model writes its outputs one after another, so what comes first is written without knowing what
comes later: an answer before its reasoning is a guess.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from langprog.errors import InputError
from langprog.signature import FieldSpec, SignatureSpec

Structure = tuple[str, ...]

REASONING = FieldSpec(
    name="reasoning", role="output", annotation=str, description="think step by step"
)
# Names of text outputs in which a model works something out.
_THINKING = re.compile(
    r"(?:^|_)(?:reason(?:s|ing)?|rationale|thoughts?|thinking|explanations?|analysis|"
    r"justification|scratch_?pad)(?:_|$)",
    re.IGNORECASE,
)


def holds_reasoning(field: FieldSpec) -> bool:
    """Return whether a model works something out in this output, judging by name and type."""
    return field.annotation is str and bool(_THINKING.search(field.name))


def list_structures(declared: SignatureSpec) -> list[Structure]:
    """Return the outputs that a prompt could ask for instead of those declared, in their order.

    These are few: the reasoning first, two outputs the other way round, the last of several first,
    one more output for reasoning, or the reasoning of a ChainOfThought left out.

    Args:
        declared: The signature as its author wrote it.

    Returns:
        The most promising first; empty for a single output that needs no reasoning.
    """
    names = tuple(declared.outputs)
    thinking = tuple(name for name in names if holds_reasoning(declared.outputs[name]))
    answers = tuple(name for name in names if name not in thinking)
    structures: list[Structure] = []
    if answers:
        structures.append((*thinking, *answers))
        if REASONING.name in thinking and declared.outputs[REASONING.name] == REASONING:
            structures.append(tuple(name for name in names if name != REASONING.name))
    if not thinking:
        if REASONING.name not in declared.inputs:
            structures.append((REASONING.name, *names))
        structures.append((names[-1], *names[:-1]))
    return [each for each in dict.fromkeys(structures) if each != names]


def ask_for(asked: SignatureSpec, declared: SignatureSpec, structure: Any) -> SignatureSpec:
    """Return a signature that asks for other outputs.

    Args:
        asked: What is asked for now.
        declared: The signature as its author wrote it.
        structure: Names of all declared outputs in any order; ``reasoning`` may be added or left
            out.

    Raises:
        InputError: Another output is missing, unknown or repeated.
    """
    if isinstance(structure, str) or not all(isinstance(name, str) for name in structure):
        raise InputError(f"the structure {structure!r:.60} is not a list of names of outputs")
    known: dict[str, FieldSpec] = {**declared.outputs}
    if REASONING.name not in declared.inputs:
        known.setdefault(REASONING.name, REASONING)
    names = list(structure)
    needed = [name for name in declared.outputs if name != REASONING.name]
    wrong = [name for name in names if name not in known or names.count(name) > 1]
    wrong += [name for name in needed or [REASONING.name] if name not in names]
    if wrong:
        raise InputError(
            f"the structure of {declared.name} is wrong about {wrong[0]!r}: it names each of "
            f"{', '.join(needed or [REASONING.name])} once, in any order, and perhaps reasoning"
        )
    if names == list(declared.outputs):
        return replace(asked, fields=declared.fields)
    outputs = tuple(known[name] for name in names)
    return replace(asked, fields=(*declared.inputs.values(), *outputs))


def give_back(
    outputs: Mapping[str, Any], asked: SignatureSpec, declared: SignatureSpec
) -> Mapping[str, Any]:
    """Return the values of the declared outputs: reasoning that was not asked for is empty."""
    if asked.fields is declared.fields:
        return outputs
    return {name: outputs.get(name, "") for name in declared.outputs}
