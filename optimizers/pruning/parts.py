"""The parts of a candidate: everything that a search has changed, one by one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

from langprog import Example, Module
from optimizers.evaluation.candidate import Candidate

PartKind = Literal["instruction", "setting", "demonstrations"]
ORDER: tuple[PartKind, ...] = ("instruction", "setting", "demonstrations")
# How the label of a candidate ends from which something was taken out.
PRUNED = "; pruned"


@dataclass(frozen=True, slots=True)
class Part:
    """Something that a candidate changes in the input program.

    Args:
        key: The parameter.
        kind: An instruction, demonstrations, or any other setting.
        own: The parameter's value in the input program.
        demos: The demonstrations; none for another kind of part.
        first: Number of the first of them in the prompt.
        whole: Whether these are all demonstrations that were added.
    """

    key: str
    kind: PartKind
    own: Any
    demos: tuple[Example, ...] = ()
    first: int = 1
    whole: bool = True

    @property
    def label(self) -> str:
        """A description, such as ``the instruction of team``."""
        path, _, name = self.key.rpartition(".")
        if self.kind != "demonstrations":
            return f"the {name} of {path}"
        if len(self.demos) == 1:
            return f"demonstration {self.first} of {path}"
        return f"demonstrations {self.first} to {self.first + len(self.demos) - 1} of {path}"

    def remove_from(self, candidate: Candidate, program: Module) -> Candidate:
        """Return a candidate without this part, equal to the candidate where it has no such part.

        Args:
            candidate: The candidate.
            program: The input program.
        """
        value = self.own
        if not self.whole:
            now = candidate.parameters.get(self.key, self.own)
            value = tuple(demo for demo in now if demo not in self.demos)
        label = candidate.label.removesuffix(PRUNED) + PRUNED
        return Candidate.of(program, {**candidate.parameters, self.key: value}, label)

    def halve(self) -> list[Part]:
        """Return both halves of some demonstrations; nothing for what cannot be divided."""
        middle = len(self.demos) // 2
        if not middle:
            return []
        parts = (self.demos[:middle], self.first), (self.demos[middle:], self.first + middle)
        return [replace(self, demos=demos, first=first, whole=False) for demos, first in parts]


def list_parts(candidate: Candidate, program: Module) -> list[Part]:
    """List what a candidate changes: instructions first, demonstrations last.

    Demonstrations that came with the program do not count, where the candidate keeps them.

    Args:
        candidate: The result of a search.
        program: The input program.
    """
    before, now = program.parameters(), candidate.apply(program).parameters()
    parts = []
    for key in now:  # in the order of the program
        if key not in candidate.parameters:
            continue
        own, value = before[key].value, candidate.parameters[key]
        if now[key].kind == "demos":
            added = tuple(demo for demo in value if demo not in own)
            first = value.index(added[0]) + 1 if added else 1
            parts.append(Part(key, "demonstrations", own, added, first))
        else:
            kind: PartKind = "instruction" if now[key].kind == "instruction" else "setting"
            parts.append(Part(key, kind, own))
    # The sort is stable: parts of one kind stay in the order of the program.
    return sorted(parts, key=_rank)


def _rank(part: Part) -> int:
    return ORDER.index(part.kind)
